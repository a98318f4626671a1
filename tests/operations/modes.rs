//! Who may read the files of a store: its owner alone.

use std::fs::{Permissions, read_dir, set_permissions, symlink_metadata};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Place, Server, patient, stderr, without_variables};

/// Below a folder and with it: all whom others could read or write, links left out.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(path) = left.pop() {
        let metadata = symlink_metadata(&path).unwrap();
        if metadata.is_symlink() {
            continue;
        }
        if metadata.is_dir() {
            left.extend(read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
        if metadata.permissions().mode() & 0o077 != 0 {
            found.push(path);
        }
    }
    found
}

fn widen(path: &Path) {
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn what_a_server_and_a_backup_write_is_for_their_owner_whatever_the_umask() {
    let place = Place::new();
    let server = Server::start_under(&place, "data", "000");
    server.put(&patient("p1", "Haffner"));
    server.wait_until_signed();
    assert_eq!(open_to_others(&place.path("data")), Vec::<PathBuf>::new());
    let line = "umask 000; exec \"$0\" backup backups/charts --data data";
    let mut backup = without_variables(Command::new("sh"));
    backup.args(["-c", line, env!("CARGO_BIN_EXE_chartlog")]).current_dir(place.path("."));
    assert!(backup.status().unwrap().success());
    assert!(place.path("backups/charts/BACKUP").is_file());
    assert_eq!(open_to_others(&place.path("backups")), Vec::<PathBuf>::new());
    server.stop();
}

#[test]
fn what_others_could_read_is_mended_when_it_is_opened_with_one_warning() {
    let place = Place::new();
    let server = Server::start(&place, "data");
    server.put(&patient("p1", "Haffner"));
    server.wait_until_signed();
    server.stop();
    place.run("backup backups --data data");
    let data = place.path("data");
    for path in [&data, &data.join("views"), &data.join("views/CURRENT"), &data.join("FORMAT")] {
        widen(path);
    }
    // Where a link leads is not this store's.
    let elsewhere = place.path("elsewhere");
    std::fs::write(&elsewhere, "").unwrap();
    widen(&elsewhere);
    symlink(&elsewhere, data.join("vault/link")).unwrap();
    std::fs::write(data.join("notes"), "").unwrap();
    widen(&data.join("notes"));

    let rebuild = || {
        let mut command = place.command("rebuild --data data");
        command.env("CHARTLOG_LOG_FILTER", "warn").output().unwrap()
    };
    let output = rebuild();
    assert!(output.status.success(), "{}", stderr(&output));
    let said = stderr(&output);
    let warnings: Vec<&str> = said.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{said}");
    assert!(warnings[0].contains("open to others"), "{said}");
    assert!(warnings[0].contains("count=4") && warnings[0].contains("first=data"), "{said}");
    assert_eq!(open_to_others(&data), [data.join("notes")], "not of a store");
    assert_eq!(open_to_others(&elsewhere), [elsewhere.as_path()]);
    // And nothing more to say.
    let output = rebuild();
    assert!(!stderr(&output).contains("WARN"), "{}", stderr(&output));
    for path in ["backups", "backups/log", "backups/log/events"] {
        widen(&place.path(path));
    }
    let output = place.command("backup backups --data data").output().unwrap();
    assert!(stderr(&output).contains("3 files and directories"), "{}", stderr(&output));
    assert_eq!(open_to_others(&place.path("backups")), Vec::<PathBuf>::new());
}
