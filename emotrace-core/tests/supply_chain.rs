//! Where the code comes from that is built into emotrace, under which licences, and that ours has no `unsafe`.
//!
//! Needs nothing but Cargo and what a build has fetched already. `cargo deny check` asks the same and more, where it is
//! installed.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read_toml(path: &Path) -> toml::Table {
    fs::read_to_string(path).unwrap().parse().unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Packages of a lock file that come from elsewhere.
fn locked(path: &Path) -> Vec<toml::Table> {
    let lock = read_toml(path);
    let packages = lock["package"].as_array().unwrap().iter().map(|p| p.as_table().unwrap().clone());
    packages.filter(|package| package.contains_key("source")).collect()
}

/// What is wrong with the sources of a lock file's packages.
fn source_faults(packages: &[toml::Table]) -> Vec<String> {
    let text =
        |package: &toml::Table, key| package.get(key).and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    let sound = |package: &&toml::Table| {
        let checksum = text(package, "checksum");
        text(package, "source") == "registry+https://github.com/rust-lang/crates.io-index"
            && checksum.len() == 64
            && checksum.bytes().all(|b| b.is_ascii_hexdigit())
    };
    packages.iter().filter(|p| !sound(p)).map(|p| format!("{} {}", text(p, "name"), text(p, "source"))).collect()
}

#[test]
fn every_dependency_comes_from_the_registry_with_a_checksum() {
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let packages = locked(&root().join(lock));
        assert!(packages.len() > 100, "{lock} was read");
        assert_eq!(source_faults(&packages), Vec::<String>::new(), "{lock}");
    }
}

#[test]
fn another_source_is_told() {
    let package = |source: &str, checksum: &str| {
        format!("name = \"x\"\nsource = \"{source}\"\nchecksum = \"{checksum}\"").parse::<toml::Table>().unwrap()
    };
    let registry = "registry+https://github.com/rust-lang/crates.io-index";
    assert_eq!(source_faults(&[package(registry, &"0".repeat(64))]), Vec::<String>::new());
    assert_eq!(source_faults(&[package(registry, "")]).len(), 1);
    assert_eq!(source_faults(&[package("git+https://example.org/x", &"0".repeat(64))]).len(), 1);
}

/// What Cargo knows of every package: of all platforms if their packages are here, else of this one.
fn metadata() -> serde_json::Value {
    let ask = |more: &[&str]| {
        let cargo = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version", "1", "--locked", "--offline"])
            .args(more)
            .current_dir(root())
            .output()
            .unwrap();
        cargo.status.success().then(|| serde_json::from_slice(&cargo.stdout).unwrap()).ok_or(cargo.stderr)
    };
    let host = || {
        let version = Command::new("rustc").arg("-vV").output().unwrap().stdout;
        let version = String::from_utf8(version).unwrap();
        version.lines().find_map(|line| line.strip_prefix("host: ")).unwrap().to_owned()
    };
    ask(&[])
        .or_else(|_| ask(&["--filter-platform", &host()]))
        .unwrap_or_else(|e| panic!("{}", String::from_utf8_lossy(&e)))
}

/// True if a licence expression can be met by allowed licences; what was needed for it is noted.
fn allowed(expression: &str, allow: &BTreeSet<&str>, used: &mut BTreeSet<String>) -> bool {
    let expression = expression.trim();
    // Brackets hide what is in them from the search for operators.
    let outside = |operator: &str| {
        let mut depth = 0;
        let (at, _) = expression.char_indices().find(|(at, c)| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth == 0 && expression[*at..].starts_with(operator)
        })?;
        Some((&expression[..at], &expression[at + operator.len()..]))
    };
    if let Some((left, right)) = outside(" OR ").or_else(|| outside("/")) {
        return allowed(left, allow, used) || allowed(right, allow, used);
    }
    if let Some((left, right)) = outside(" AND ") {
        return allowed(left, allow, used) && allowed(right, allow, used);
    }
    if let Some(inner) = expression.strip_prefix('(').and_then(|e| e.strip_suffix(')')) {
        return allowed(inner, allow, used);
    }
    let known = allow.contains(expression);
    if known {
        used.insert(expression.to_owned());
    }
    known
}

#[test]
fn licence_expressions_are_understood() {
    let allow = BTreeSet::from(["MIT", "Apache-2.0"]);
    let ok = |expression| allowed(expression, &allow, &mut BTreeSet::new());
    assert!(ok("MIT") && ok("GPL-2.0-only OR MIT") && ok("Unlicense/MIT") && ok("(X OR MIT) AND Apache-2.0"));
    assert!(!ok("") && !ok("GPL-2.0-only") && !ok("MIT AND X") && !ok("(MIT OR Y) AND X") && !ok("Apache-2.0 WITH X"));
}

#[test]
fn every_licence_is_one_that_fits_ours() {
    let deny = read_toml(&root().join("deny.toml"));
    let allow = deny["licenses"]["allow"].as_array().unwrap();
    let allow: BTreeSet<&str> = allow.iter().map(|licence| licence.as_str().unwrap()).collect();
    let metadata = metadata();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 100, "Cargo told of the packages");
    let mut used = BTreeSet::new();
    let faults: Vec<String> = packages
        .iter()
        .filter(|package| !allowed(package["license"].as_str().unwrap_or_default(), &allow, &mut used))
        .map(|package| format!("{} {} {}", package["name"], package["version"], package["license"]))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
    let unused: Vec<&&str> = allow.iter().filter(|licence| !used.contains(**licence)).collect();
    assert_eq!(unused, Vec::<&&str>::new(), "allowed, but no crate needs it");
}

#[test]
fn our_crates_forbid_unsafe_code() {
    let workspace = read_toml(&root().join("Cargo.toml"));
    assert_eq!(workspace["workspace"]["lints"]["rust"]["unsafe_code"].as_str(), Some("forbid"));
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        let manifest = read_toml(&root().join(member).join("Cargo.toml"));
        let lints = manifest.get("lints").and_then(|lints| lints.get("workspace")).and_then(toml::Value::as_bool);
        assert_eq!(lints, Some(true), "{member} takes the workspace's lints");
    }
}

/// Every dependency is named once, in the workspace, so that its features are seen at one glance.
#[test]
fn members_take_their_dependencies_from_the_workspace() {
    let workspace = read_toml(&root().join("Cargo.toml"));
    let whole = toml::Value::Table(toml::Table::from_iter([("workspace".to_owned(), true.into())]));
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        let manifest = read_toml(&root().join(member).join("Cargo.toml"));
        for kind in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, dependency) in manifest.get(kind).and_then(toml::Value::as_table).into_iter().flatten() {
                assert_eq!(dependency, &whole, "{member}: {name}");
            }
        }
    }
}
