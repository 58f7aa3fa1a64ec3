use super::*;

fn node(rows: &[(&str, &str)]) -> String {
    let row = |(name, value): &(&str, &str)| {
        let text = |text: &str| (String::new(), Some(text.to_owned()));
        vec![text(name), text(value)]
    };
    let rows: Vec<TextRow> = rows.iter().map(row).collect();
    match galera(&rows, Galera::Synced) {
        Ok(found) => found,
        Err(failure) => failure.to_string(),
    }
}

#[test]
fn a_node_is_synced_only_when_it_takes_queries() {
    let synced = ("wsrep_local_state", "4");
    let passes = "wsrep_local_state 4 (Synced)";
    for (more, said) in [
        (("", ""), passes),
        (("wsrep_ready", "ON"), passes),
        (("wsrep_ready", "OFF"), "wsrep_ready is OFF, want ON"),
        (("wsrep_cluster_status", "primary"), passes),
        (
            ("wsrep_cluster_status", "non-Primary"),
            "wsrep_cluster_status is non-Primary, want Primary",
        ),
        (
            ("WSREP_REJECT_QUERIES", "ALL_KILL"),
            "wsrep_reject_queries is ALL_KILL, want NONE",
        ),
        (("pxc_maint_mode", "DISABLED"), passes),
        (
            ("pxc_maint_mode", "MAINTENANCE"),
            "pxc_maint_mode is MAINTENANCE, want DISABLED",
        ),
    ] {
        assert_eq!(node(&[synced, more]), said, "{more:?}");
    }
    assert_eq!(
        node(&[("wsrep_ready", "ON")]),
        "no wsrep_local_state: the server is not part of a Galera cluster"
    );
}
