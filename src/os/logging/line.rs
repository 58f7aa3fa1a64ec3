//! A record of the log as one line: text for people, JSON for programs.

use log::kv::{self, Key, VisitSource, VisitValue};
use log::{Level, Record};
use serde_json::{Map, Value};

use super::LogFormat;

/// A record as it is written, without the end of the line. The journal has a time of its own.
pub(super) fn line(now: &str, record: &Record<'_>, format: LogFormat, journal: bool) -> String {
    let line = match format {
        LogFormat::Json => fields(now, record).to_string(),
        LogFormat::Logrus => logrus(now, record),
        LogFormat::Text if journal => text("", record),
        LogFormat::Text => text(now, record),
    };

    match journal {
        true => format!("{}{line}", syslog_level(record.level())),
        false => line,
    }
}

/// The time as a format has it.
pub(super) fn now(format: LogFormat) -> String {
    match format {
        LogFormat::Text | LogFormat::Json => {
            let now = jiff::Timestamp::now();
            now.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
        }
        // RFC 3339, where UTC is `Z`.
        LogFormat::Logrus => {
            let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%:z");
            now.to_string().replace("+00:00", "Z")
        }
    }
}

/// A line of logrus 1.6 that goes to no terminal, with the name in front that Gruntwork's programs put there.
fn logrus(time: &str, record: &Record<'_>) -> String {
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warning",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };

    let message = logrus_message(record.args().to_string());
    format!("[health-checker] time=\"{time}\" level={level} msg={message}")
}

fn logrus_message(message: String) -> String {
    // The letters that logrus 1.6 leaves without quotes (`needsQuoting` of its text formatter).
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/@^+".contains(&byte);
    match message.bytes().all(is_plain) {
        true => message,
        false => format!("{message:?}"),
    }
}

/// The level as sd-daemon(3) reads it in front of a line.
fn syslog_level(level: Level) -> &'static str {
    match level {
        Level::Error => "<3>",
        Level::Warn => "<4>",
        Level::Info => "<6>",
        Level::Debug | Level::Trace => "<7>",
    }
}

fn text(time: &str, record: &Record<'_>) -> String {
    let level = record.level();
    let target = record.target();
    let message = escaped(record.args().to_string());
    match time {
        "" => format!("{level} {target}: {message}"),
        time => format!("{time} {level} {target}: {message}"),
    }
}

/// What others wrote could forge lines of the log, or steer the terminal that shows it.
fn escaped(message: String) -> String {
    if message.chars().any(char::is_control) {
        message.escape_debug().to_string()
    } else {
        message
    }
}

fn fields(time: &str, record: &Record<'_>) -> Value {
    let mut fields = RecordFields(Map::new());
    // Nothing here fails. What every line has comes last, so that no other field stands for it.
    let _ = record.key_values().visit(&mut fields);
    for (name, value) in usual_fields(time, record) {
        fields.0.insert(name.to_owned(), value.into());
    }

    Value::Object(fields.0)
}

/// What every line has.
fn usual_fields(time: &str, record: &Record<'_>) -> [(&'static str, String); 4] {
    let level = record.level().as_str();
    [
        ("time", time.to_owned()),
        ("level", level.to_ascii_lowercase()),
        ("target", record.target().to_owned()),
        ("message", record.args().to_string()),
    ]
}

/// The further fields of a record; those without a value are left out.
struct RecordFields(Map<String, Value>);

impl<'kvs> VisitSource<'kvs> for RecordFields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let mut json = JsonOf(None);
        value.visit(&mut json)?;
        if let Some(json) = json.0 {
            self.0.insert(key.to_string(), json);
        }

        Ok(())
    }
}

/// A value as JSON.
struct JsonOf(Option<Value>);

impl VisitValue<'_> for &mut JsonOf {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.0 = Some(value.to_string().into());
        Ok(())
    }

    fn visit_null(&mut self) -> Result<(), kv::Error> {
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = Some(value.into());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(level: Level, message: &str, format: LogFormat, journal: bool) -> String {
        let args = format_args!("{message}").to_string();
        line(
            "NOW",
            &Record::builder()
                .level(level)
                .target("t")
                .args(format_args!("{args}"))
                .build(),
            format,
            journal,
        )
    }

    /// Recorded with logrus 1.6 and go-commons 0.10, but for the time.
    #[test]
    fn lines_may_be_those_of_logrus() {
        let logrus = |level, message| lines(level, message, LogFormat::Logrus, false);
        assert_eq!(
            logrus(Level::Warn, "Script /x FAILED: exit status 2"),
            "[health-checker] time=\"NOW\" level=warning msg=\"Script /x FAILED: exit status 2\""
        );
        assert_eq!(
            logrus(Level::Info, "a \"b\"\n'c'"),
            r#"[health-checker] time="NOW" level=info msg="a \"b\"\n'c'""#
        );
        assert!(logrus(Level::Error, "a/b").ends_with(" level=error msg=a/b"));
    }

    #[test]
    fn a_message_is_one_line_whatever_it_holds() {
        assert_eq!(
            lines(Level::Info, "a\nb", LogFormat::Text, false),
            "NOW INFO t: a\\nb"
        );
        let json = lines(Level::Warn, "a\n\"b", LogFormat::Json, false);
        assert_eq!(
            json,
            r#"{"level":"warn","message":"a\n\"b","target":"t","time":"NOW"}"#
        );
    }

    #[test]
    fn json_has_the_fields_of_a_record_and_none_of_them_hides_what_every_line_has() {
        let fields = [
            ("kind", kv::Value::from("fail")),
            ("after", kv::Value::from(1.5)),
            ("expired", kv::Value::from(true)),
            ("text", kv::Value::from("a\nb")),
            ("by", kv::Value::null()),
            ("level", kv::Value::from("none")),
        ];
        let written = |format| {
            let mut record = Record::builder();
            record.level(Level::Info).target("t").key_values(&fields);
            line(
                "NOW",
                &record.args(format_args!("web failed")).build(),
                format,
                false,
            )
        };
        let json: Value = serde_json::from_str(&written(LogFormat::Json)).unwrap();
        let expected = serde_json::json!({
            "after": 1.5, "expired": true, "kind": "fail", "text": "a\nb",
            "level": "info", "message": "web failed", "target": "t", "time": "NOW",
        });
        assert_eq!(json, expected);
        assert_eq!(written(LogFormat::Text), "NOW INFO t: web failed");
    }

    #[test]
    fn the_journal_gets_levels() {
        for (level, prefix) in [
            (Level::Error, "<3>"),
            (Level::Warn, "<4>"),
            (Level::Info, "<6>"),
            (Level::Debug, "<7>"),
        ] {
            assert_eq!(
                lines(level, "x", LogFormat::Text, true),
                format!("{prefix}{level} t: x")
            );
            assert!(lines(level, "x", LogFormat::Json, true).starts_with(&format!("{prefix}{{")));
        }
    }
}
