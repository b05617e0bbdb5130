//! What the fuzzer has found interesting is met again by every test run.

use std::path::Path;

use hostile::DOORS;

#[test]
fn every_door_stands_its_corpus() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    for (name, door) in DOORS {
        let folder = corpora.join(name);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut met = 0;
        for entry in entries {
            let file = entry.expect("an entry").path();
            let bytes = std::fs::read(&file).expect("a file");
            // Printed only where the door panics.
            println!("{}", file.display());
            door(&bytes);
            met += 1;
        }
        assert!(met > 0, "{} is empty", folder.display());
    }
}

#[test]
fn every_door_stands_the_simplest_bytes() {
    for (_, door) in DOORS {
        for bytes in [&b""[..], b"{}", b"\n", b"\xff\xfe", b"[[[[", b"null", &[0; 64], &[0xff; 64]] {
            door(bytes);
        }
    }
}
