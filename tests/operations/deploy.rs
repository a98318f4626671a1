//! What is in `deploy/` names only what there is: figures, paths, files. And the figures are as Prometheus wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Place, Server, patient};

/// One line of figures: name, labels, value.
type Sample = (String, BTreeMap<String, String>, f64);

/// What a server tells of its figures, read as strictly as the text format 0.0.4 of Prometheus is written.
#[derive(Default)]
struct Exposition {
    helps: BTreeMap<String, String>,
    types: BTreeMap<String, String>,
    samples: Vec<Sample>,
}

impl Exposition {
    fn parse(text: &str) -> Self {
        let mut found = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, help) = rest.split_once(' ').expect(line);
                assert!(!help.trim().is_empty(), "{line}");
                let before = found.helps.insert(name.to_owned(), help.to_owned());
                assert_eq!(before, None, "two lines of help: {line}");
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect(line);
                assert!(["counter", "gauge", "histogram"].contains(&kind), "{line}");
                assert_eq!(found.types.insert(name.to_owned(), kind.to_owned()), None, "{line}");
            } else {
                assert!(!line.starts_with('#'), "{line}");
                let sample = sample(line);
                let family = found.family(&sample.0);
                assert!(found.helps.contains_key(&family), "no HELP before {line}");
                found.samples.push(sample);
            }
        }
        found
    }

    /// The name under which a sample is described.
    fn family(&self, name: &str) -> String {
        if self.types.contains_key(name) {
            return name.to_owned();
        }
        let ends = ["_bucket", "_sum", "_count"];
        let family = ends.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let kind = self.types.get(family).unwrap_or_else(|| panic!("no TYPE before {name}"));
        assert_eq!(kind, "histogram", "{name}");
        family.to_owned()
    }
}

fn sample(line: &str) -> Sample {
    let (left, value) = line.rsplit_once(' ').expect(line);
    let value = match value {
        "+Inf" => f64::INFINITY,
        value => value.parse().expect(line),
    };
    let (name, labels) = match left.split_once('{') {
        None => (left, ""),
        Some((name, labels)) => (name, labels.strip_suffix('}').expect(line)),
    };
    let is_name = |text: &str| {
        !text.is_empty()
            && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
    };
    assert!(is_name(name) && name.starts_with("chartlog_"), "{line}");
    let mut known = BTreeMap::new();
    for pair in labels.split(',').filter(|pair| !pair.is_empty()) {
        let (label, text) = pair.split_once('=').expect(line);
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).expect(line);
        assert!(is_name(label) && !text.contains(['"', '\n']), "{line}");
        assert_eq!(known.insert(label.to_owned(), text.to_owned()), None, "{line}");
    }
    (name.to_owned(), known, value)
}

/// A server that has something of everything that figures tell of.
fn busy(place: &Place) -> Server {
    let siem = place.path("siem.ndjson");
    let arguments = format!(
        "--set audit.siem=json+file://{} --set feed.webhook_hosts=127.0.0.1 \
         --set feed.webhook_networks=127.0.0.0/8 --set feed.webhook_insecure=true",
        siem.display()
    );
    let server = Server::start_with(place, "data", &arguments);
    server.put(&patient("p", "Quist"));
    server.get("/fhir/Patient/p");
    let feed = server.token("system/Feed.cruds system/*.rs");
    let wish = json!({ "name": "test", "url": "http://127.0.0.1:9/" });
    let request = ureq::post(format!("{}/v1/subscriptions", server.base));
    let request = request.header("authorization", format!("Bearer {feed}"));
    let request = request.header("content-type", "application/json");
    request.send(wish.to_string()).unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !server.get("/metrics").contains("chartlog_delivery_last_success_timestamp_seconds{") {
        assert!(Instant::now() < deadline, "nothing is forwarded");
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

#[test]
fn figures_are_described_and_histograms_are_cumulative() {
    let place = Place::new();
    let server = busy(&place);
    let found = Exposition::parse(&server.get("/metrics"));
    let mut buckets: BTreeMap<(String, String), Vec<(f64, f64)>> = BTreeMap::new();
    let (mut sums, mut counts) = (BTreeMap::new(), BTreeMap::new());
    for (name, labels, value) in &found.samples {
        let family = found.family(name);
        if found.types[&family] != "histogram" {
            assert!(!labels.contains_key("quantile"), "{name}");
            continue;
        }
        let mut others = labels.clone();
        let bound = others.remove("le");
        let series = (family, format!("{others:?}"));
        match (name.rsplit('_').next().unwrap(), bound) {
            ("bucket", Some(bound)) => {
                let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().unwrap() };
                buckets.entry(series).or_default().push((bound, *value));
            }
            ("sum", None) => assert_eq!(sums.insert(series, *value), None),
            ("count", None) => assert_eq!(counts.insert(series, *value), None),
            other => panic!("{name}: {other:?}"),
        }
    }
    for (series, buckets) in &buckets {
        assert!(buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1), "{series:?}");
        assert_eq!(buckets.last(), Some(&(f64::INFINITY, counts[series])), "{series:?}");
        assert!(sums[series] >= 0.0, "{series:?}");
    }
    let families: BTreeSet<&str> = buckets.keys().map(|(family, _)| family.as_str()).collect();
    for family in [
        "chartlog_request_duration_seconds",
        "chartlog_log_append_duration_seconds",
        "chartlog_group_commands",
        "chartlog_group_bytes",
    ] {
        assert!(families.contains(family), "{family}: {families:?}");
    }
    let one = |name: &str, labels: &[(&str, &str)]| {
        let has = |known: &BTreeMap<String, String>| {
            labels.iter().all(|(name, text)| known.get(*name).map(String::as_str) == Some(text))
        };
        found.samples.iter().any(|(known, labels, _)| known == name && has(labels))
    };
    let read = [("operation", "readResource"), ("status", "2xx")];
    assert!(one("chartlog_request_duration_seconds_count", &read));
    for log in ["events", "access"] {
        assert!(one("chartlog_log_append_duration_seconds_count", &[("log", log)]));
    }
}

/// The text of a file of the project.
fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All words of a text that begin like a figure.
fn figures(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("chartlog_")).map(str::to_owned).collect()
}

#[test]
fn every_figure_in_deploy_and_in_the_docs_is_exposed_by_a_running_server_and_the_other_way_round() {
    let place = Place::new();
    let server = busy(&place);
    let found = Exposition::parse(&server.get("/metrics"));
    for path in ["deploy/prometheus/alerts.yaml", "deploy/grafana/chartlog.json"] {
        let named = figures(&file(path));
        assert!(named.len() > 5, "{path}: {named:?}");
        for name in named {
            // It fails where there is none.
            found.family(&name);
        }
    }
    let page = file("docs/deployment.md");
    let told = figures(&page);
    for name in found.types.keys() {
        assert!(told.contains(name), "docs/deployment.md does not tell of {name}");
    }
    for name in told {
        found.family(&name);
    }
}

#[test]
fn every_path_that_is_asked_for_from_outside_is_there() {
    let place = Place::new();
    let server = busy(&place);
    let manifest = file("deploy/kubernetes/chartlog.yaml");
    let paths: BTreeSet<&str> = manifest
        .split("httpGet: {path: ")
        .skip(1)
        .chain(manifest.split("prometheus.io/path: ").skip(1))
        .map(|rest| rest.split([',', '\n']).next().unwrap())
        .collect();
    assert_eq!(paths, BTreeSet::from(["/health/live", "/health/ready", "/metrics"]));
    let scrape = file("deploy/prometheus/prometheus.yaml");
    let scraped = scrape.split("metrics_path: ").nth(1).unwrap().lines().next().unwrap();
    for path in paths.into_iter().chain([scraped]) {
        server.get(path);
    }
    // What the compose file brings in from beside it.
    let compose = file("deploy/compose.yaml");
    let mounted = compose.lines().filter_map(|line| line.trim().strip_prefix("- ./"));
    let mounted: Vec<&str> = mounted.map(|line| line.split(':').next().unwrap()).collect();
    assert_eq!(mounted.len(), 3);
    for name in mounted {
        assert!(!file(&format!("deploy/{name}")).is_empty());
    }
}

#[test]
fn the_configurations_in_deploy_are_right() {
    let place = Place::new();
    let manifest = file("deploy/kubernetes/chartlog.yaml");
    let block = manifest.split("chartlog.toml: |\n").nth(1).unwrap();
    let lines = block.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let inner: Vec<&str> = lines.map(str::trim).collect();
    for text in [inner.join("\n"), file("deploy/chartlog.toml")] {
        std::fs::write(place.path("c.toml"), text).unwrap();
        place.run("config --config c.toml");
    }
    let unit = file("deploy/systemd/chartlog.service");
    let started =
        unit.lines().find_map(|line| line.strip_prefix("ExecStart=/usr/bin/chartlog serve"));
    let arguments = started.unwrap().replace("/etc/chartlog/chartlog.toml", "c.toml");
    place.run(&format!("config {arguments}"));
}

#[test]
fn what_the_debian_package_takes_is_there() {
    let manifest: toml::Table = file("Cargo.toml").parse().unwrap();
    let package = &manifest["package"]["metadata"]["deb"];
    let made = ["target/release/chartlog", "target/deb/"];
    for asset in package["assets"].as_array().unwrap() {
        let [from, to, mode] = asset.as_array().unwrap().as_slice() else { panic!("{asset}") };
        let (from, to, mode) =
            (from.as_str().unwrap(), to.as_str().unwrap(), mode.as_str().unwrap());
        assert!(!to.starts_with('/') && ["644", "755"].contains(&mode), "{asset}");
        if made.iter().any(|start| from.starts_with(start)) {
            continue;
        }
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(from);
        let is_there = match from.contains('*') {
            true => folder.parent().unwrap().read_dir().unwrap().count() > 0,
            false => folder.is_file(),
        };
        assert!(is_there, "{from}");
    }
    let unit = package["systemd-units"]["unit-name"].as_str().unwrap();
    assert!(file(&format!("deploy/systemd/{unit}.service")).contains("Type=notify"));
    for script in ["postinst", "postrm"] {
        assert!(file(&format!("deploy/debian/{script}")).contains("#DEBHELPER#"), "{script}");
    }
}

#[test]
fn a_service_manager_is_told_when_the_server_listens() {
    let place = Place::new();
    let socket = UnixDatagram::bind(place.path("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut command = place.command("serve --data data --listen 127.0.0.1:0");
    let command = command.env("NOTIFY_SOCKET", place.path("notify"));
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let mut message = [0; 64];
    let length = socket.recv(&mut message);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(&message[..length.unwrap()], b"READY=1\n");
}
