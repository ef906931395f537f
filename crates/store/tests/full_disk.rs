//! A disk that is really full: a small file system in a mount namespace of its own, gone with the last process in it.

#![allow(clippy::unwrap_used)]

use std::process::Command;

#[test]
fn a_full_disk_refuses_what_is_new_and_goes_on_with_the_rest() {
    let temp = tempfile::tempdir().unwrap();
    let script = "set -e
        mount -t tmpfs -o size=48m,mode=700 tmpfs \"$1\"
        \"$0\" fill \"$1\"
        head -c 100m /dev/zero > \"$1/junk\" 2>/dev/null || true
        \"$0\" empty \"$1\"";
    let output = Command::new("unshare")
        .args(["--mount", "sh", "-c", script])
        .arg(env!("CARGO_BIN_EXE_store-exerciser"))
        .arg(temp.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    let n: usize = stdout.split([' ', ',']).nth(1).unwrap().parse().unwrap();
    assert!(300 < n, "{n} objects of 50 kB found room on 48 MiB");
    let expected = format!(
        "stored {n}, then: disk is full
create: disk is full
left {}
found {}
create: disk is full
left 0
stored again
left 1
",
        n - 2,
        n - 2
    );
    assert_eq!(stdout, expected);
}
