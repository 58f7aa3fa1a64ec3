//! The dashboard as it is read.

use std::fs;

use serde_json::Value;

pub struct Board(Value);

/// A query, and where it stands.
#[derive(Debug)]
pub struct Query {
    pub place: String,
    pub text: String,
}

impl Query {
    /// With values in place of Grafana's variables.
    pub fn filled_in(&self) -> String {
        self.text
            .replace("$__rate_interval", "15s")
            .replace("$__interval", "1m")
            .replace("$job", ".*")
            .replace("$instance", ".*")
    }
}

impl Board {
    pub fn read() -> Self {
        let text = fs::read_to_string("packaging/grafana/hacheck.json").unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    pub fn panels(&self) -> &Vec<Value> {
        self.0["panels"].as_array().unwrap()
    }

    pub fn variables(&self) -> Vec<&str> {
        let variables = self.0["templating"]["list"].as_array().unwrap();
        variables
            .iter()
            .map(|v| v["name"].as_str().unwrap())
            .collect()
    }

    /// Those of panels, annotations and variables.
    pub fn queries(&self) -> Vec<Query> {
        let mut queries = Vec::new();
        for panel in self.panels() {
            for target in panel["targets"].as_array().into_iter().flatten() {
                queries.push(query(&panel["title"], &target["expr"]));
            }
        }
        for annotation in self.0["annotations"]["list"].as_array().unwrap() {
            queries.push(query(&annotation["name"], &annotation["expr"]));
        }
        for variable in self.0["templating"]["list"].as_array().unwrap() {
            if let Some(values) = variable["definition"].as_str() {
                let inside = values.strip_prefix("label_values(").unwrap();
                let (text, _label) = inside.rsplit_once(", ").unwrap();
                queries.push(query(&variable["name"], &text.into()));
            }
        }
        assert!(queries.len() > 30, "{queries:?}");
        queries
    }
}

fn query(place: &Value, text: &Value) -> Query {
    Query {
        place: place.as_str().unwrap().to_owned(),
        text: text.as_str().unwrap().to_owned(),
    }
}
