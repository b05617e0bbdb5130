//! `cargo bench -p parts [NAME]`: how long each part takes.

fn main() {
    divan::main();
}

#[divan::bench(args = parts::PARTS.iter().map(|part| part.name))]
fn part(bencher: divan::Bencher, name: &str) {
    let mut work = (parts::find(name).expect("a name of the table").make)();
    bencher.bench_local(&mut work);
}
