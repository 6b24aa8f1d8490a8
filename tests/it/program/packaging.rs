//! What ships beside the program says of it what is true.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use wsgate::Config;

use crate::kit::{Program, Wire, finish, settings, yaml};

fn path(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The values of a key of a unit, in their order.
fn values<'a>(unit: &'a str, key: &str) -> Vec<&'a str> {
    let lines = unit.lines().filter_map(|line| line.split_once('='));
    let found: Vec<_> = lines.filter(|(name, _)| *name == key).collect();
    found.into_iter().map(|(_, value)| value).collect()
}

/// The object of this kind in the manifest for Kubernetes.
fn object(kind: &str) -> Value {
    let objects = yaml::parse(&read("deploy/kubernetes/wsgate.yaml"));
    let mut found = objects.into_iter().filter(|object| object["kind"] == *kind);
    let object = found.next().unwrap_or_else(|| panic!("no {kind}"));
    assert_eq!(found.next(), None, "{kind} stands there twice");
    object
}

/// The settings in the ConfigMap.
fn config_map() -> String {
    let map = object("ConfigMap");
    let settings = map["data"]["wsgate.toml"].as_str().unwrap();
    settings.replace("${WSGATE_ADMIN_TOKEN}", "t0ken")
}

/// The strings that a key has in settings, wherever it stands.
fn strings<'a>(settings: &'a str, key: &str) -> Vec<&'a str> {
    let lines = settings.lines().filter_map(|line| line.split_once(" = "));
    let found: Vec<_> = lines.filter(|(name, _)| *name == key).collect();
    let quoted = |value: &'a str| value.split('"').nth(1);
    found
        .into_iter()
        .filter_map(|(_, value)| quoted(value))
        .collect()
}

/// The one string that a key has.
fn string<'a>(settings: &'a str, key: &str) -> &'a str {
    let found = strings(settings, key);
    assert_eq!(found.len(), 1, "{key}: {found:?}");
    found[0]
}

fn port(address: &str) -> &str {
    address.rsplit(':').next().unwrap()
}

fn seconds(text: &str) -> u64 {
    text.trim_end_matches('s').parse().unwrap()
}

const UNITS: [&str; 2] = [
    "deploy/systemd/wsgate.service",
    "deploy/systemd/wsgate@.service",
];

#[test]
fn the_settings_that_ship_are_right_and_need_no_warning() {
    for settings in [read("deploy/wsgate.toml"), config_map()] {
        let config = Config::from_toml("wsgate.toml", &settings).unwrap();
        assert_eq!(Vec::from_iter(config.warnings()), [""; 0]);
    }
}

#[test]
fn the_units_wait_for_longer_than_a_drain_takes() {
    let deadline = seconds(string(&read("config/full.toml"), "deadline"));
    assert!(!read("deploy/wsgate.toml").contains("[drain]"));
    for unit in UNITS {
        let text = read(unit);
        let [stop] = values(&text, "TimeoutStopSec")[..] else {
            panic!("{unit} has no TimeoutStopSec");
        };
        // What the process asks for beyond its deadline.
        assert!(seconds(stop) >= deadline + 10, "{unit}: {stop}");
    }
}

#[test]
fn the_socket_unit_passes_what_the_settings_name() {
    let unit = read("deploy/systemd/wsgate.socket");
    let settings = read("deploy/wsgate.toml");
    assert_eq!(values(&unit, "ListenStream"), strings(&settings, "address"));
}

#[test]
fn the_instances_run_as_the_one_service_does() {
    let [one, template] = UNITS.map(read);
    let lines = |unit: &str| -> BTreeSet<String> {
        let lines = unit.lines().filter(|line| !line.starts_with('#'));
        lines.map(str::to_owned).collect()
    };
    let (one, template) = (lines(&one), lines(&template));
    let keys = |of: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        let keys = of.difference(other).map(|line| line.split('=').next());
        keys.map(|key| key.unwrap().to_owned()).collect()
    };
    assert_eq!(
        keys(&one, &template),
        ["After", "Description", "RuntimeDirectory"]
    );
    assert_eq!(
        keys(&template, &one),
        [
            "After",
            "Description",
            "Requires",
            "RuntimeDirectory",
            "Sockets"
        ]
    );
    // The instances take turns with the certificates that are ordered, and units with a user of the same name share it.
    let default = read("config/full.toml");
    for unit in UNITS.map(read) {
        assert_eq!(values(&unit, "User"), ["wsgate"]);
        let folder = values(&unit, "StateDirectory")[0];
        let written = format!("# state_dir = \"/var/lib/{folder}/acme\"");
        assert!(default.contains(&written), "{written}");
    }
}

#[test]
fn the_units_name_what_the_package_installs_and_the_package_what_is_there() {
    let manifest = read("Cargo.toml");
    let (_, deb) = manifest.split_once("[package.metadata.deb]").unwrap();
    let deb = deb.split("\n[").next().unwrap();
    let assets = deb.lines().filter(|line| line.starts_with("    [\""));
    let mut installed = BTreeSet::new();
    for asset in assets {
        let asset: Vec<_> = asset.split('"').skip(1).step_by(2).collect();
        let [from, to, _mode] = asset[..] else {
            panic!("{asset:?}");
        };
        assert!(
            from == "target/release/wsgate" || path(from).is_file(),
            "{from}"
        );
        let name = Path::new(from).file_name().unwrap().to_str().unwrap();
        let to = if to.ends_with('/') {
            format!("{to}{name}")
        } else {
            to.to_owned()
        };
        installed.insert(format!("/{to}"));
    }
    let settings = "/etc/wsgate/wsgate.toml";
    assert!(deb.contains(&format!("conf-files = [\"{settings}\"]")));
    assert!(installed.contains(settings), "{installed:?}");
    let run = format!("/usr/bin/wsgate run {settings}");
    let check = format!("/usr/bin/wsgate check {settings}");
    for unit in UNITS.map(read) {
        assert_eq!(values(&unit, "ExecStart"), [&*run]);
        assert_eq!(
            values(&unit, "ExecReload"),
            [&*check, "/bin/kill -HUP $MAINPID"]
        );
        let documents = values(&unit, "Documentation")[0].split("file://").nth(1);
        assert!(installed.contains(documents.unwrap()), "{documents:?}");
    }
    assert!(installed.contains("/usr/bin/wsgate"));
    assert!(deb.contains("unit-scripts = \"deploy/systemd\""));
    assert!(read("deploy/wsgate.toml").contains("/usr/share/doc/wsgate/full.toml"));
    assert!(installed.contains("/usr/share/doc/wsgate/full.toml"));
}

#[test]
fn the_deployment_fits_its_settings() {
    let deployment = object("Deployment");
    let pod = &deployment["spec"]["template"]["spec"];
    let [container] = &pod["containers"].as_array().unwrap()[..] else {
        panic!("{pod}");
    };
    let settings = config_map();
    let deadline = seconds(string(&settings, "deadline"));
    let sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64();
    let (sleep, grace) = (
        sleep.unwrap(),
        pod["terminationGracePeriodSeconds"].as_u64(),
    );
    let grace = grace.unwrap();
    assert!(grace > sleep + deadline, "{grace} and {sleep} + {deadline}");

    let addresses = strings(&settings, "address");
    assert_eq!(addresses.len(), 2);
    let ports = ["http", "admin"].into_iter().zip(addresses);
    let ports = ports.map(|(name, address)| {
        let port: u16 = port(address).parse().unwrap();
        json!({ "name": name, "containerPort": port })
    });
    assert_eq!(container["ports"], ports.collect::<Value>());
    for (probe, path) in [("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")] {
        let expected = json!({ "path": path, "port": "admin" });
        assert_eq!(container[probe]["httpGet"], expected);
    }
    let [mount] = &container["volumeMounts"].as_array().unwrap()[..] else {
        panic!("{container}");
    };
    assert_eq!(mount["mountPath"], "/etc/wsgate");
    assert_eq!(mount["subPath"], Value::Null);
    let args = ["run", "/etc/wsgate/wsgate.toml"];
    assert_eq!(container["args"], json!(args));
    assert!(read("Dockerfile").contains(&format!("CMD {args:?}")));
    let security = &pod["securityContext"];
    let user = format!(
        "\nUSER {}:{}\n",
        security["runAsUser"], security["runAsGroup"]
    );
    assert!(read("Dockerfile").contains(&user));
}

#[tokio::test]
async fn the_kubelet_asks_a_public_admin_interface_without_the_token() {
    let admin = "[admin]\naddress = \"0.0.0.0:0\"\ntoken = \"t0ken\"";
    let program = Program::run(&settings("ws://127.0.0.1:1", admin)).await;
    let address = program.admin().await;
    for (target, status) in [("/readyz", 200), ("/healthz", 200), ("/metrics", 401)] {
        let mut wire = Wire::connect(&address).await;
        // The pod's address, as the kubelet writes it.
        wire.send(format!(
            "GET {target} HTTP/1.1\r\nHost: 10.1.2.3:9900\r\n\r\n"
        ))
        .await;
        assert_eq!(wire.response().await.status(), status, "{target}");
    }
    program.stop().await;
}

#[test]
fn the_image_is_built_with_the_toolchain_of_the_package() {
    let manifest = read("Cargo.toml");
    let version = string(&manifest, "rust-version");
    let image = read("Dockerfile");
    assert!(image.contains(&format!("FROM rust:{version}-")));
    // A volume gets the owner of the folder that the image has there.
    assert!(image.contains("mkdir -m 0700 /state/wsgate\n"));
    assert!(image.contains("COPY --from=build --chown=65532:65532 /state/ /var/lib/\n"));
    for line in image
        .lines()
        .filter(|line| line.starts_with("COPY LICENSE"))
    {
        let files = line.split(' ').filter(|word| word.starts_with("LICENSE"));
        assert!(files.clone().count() == 2 && files.clone().all(|file| path(file).is_file()));
    }
    let ignored = read(".dockerignore");
    let needed = [
        "Cargo.lock",
        "Cargo.toml",
        "benches",
        "examples",
        "src",
        "LICENSE-MIT",
    ];
    assert!(
        ignored.lines().all(|line| !needed.contains(&line)),
        "{ignored}"
    );
}

#[test]
fn every_version_that_is_written_down_is_the_packages() {
    let version = env!("CARGO_PKG_VERSION");
    for (name, written) in [
        ("Dockerfile", "wsgate:"),
        ("deploy/kubernetes/wsgate.yaml", "image: wsgate:"),
        ("deploy/wsgate.1", "\"wsgate "),
    ] {
        let found = read(name);
        let found: Vec<_> = found.split(written).skip(1).collect();
        assert!(!found.is_empty(), "{name}");
        let right = |text: &&str| text.starts_with(version) || text.starts_with("/");
        assert!(found.iter().all(right), "{name}");
    }
}

#[tokio::test]
async fn the_manual_page_has_every_command_and_option() {
    let manual = read("deploy/wsgate.1").replace('\\', "");
    let commands = finish(&["--help"]).await.stdout;
    let (_, commands) = commands.split_once("Commands:\n").unwrap();
    let commands = commands.lines().take_while(|line| !line.is_empty());
    let mut words: Vec<_> = commands
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect();
    assert!(words.len() >= 4, "{words:?}");
    let run = finish(&["run", "--help"]).await.stdout;
    let options = run.split_whitespace().filter(|word| word.starts_with("--"));
    words.extend(options.map(|word| word.trim_matches(['[', ',', ':', ']']).to_owned()));
    assert!(words.contains(&"--handover".to_owned()), "{words:?}");
    for word in words {
        assert!(manual.contains(&word), "{word}");
    }
    let exit = "130 or 143 a second SIGINT or SIGTERM cut the drain short";
    assert!(run.contains(exit) && manual.contains(exit));
}

#[test]
fn the_values_of_a_unit_are_found() {
    let unit = "# ListenStream=1\nListenStream=[::]:80\nX=\nListenStream=a=b\n";
    assert_eq!(values(unit, "ListenStream"), ["[::]:80", "a=b"]);
    assert_eq!(values(unit, "X"), [""]);
    assert_eq!(seconds("45s"), 45);
}
