//! Expressions that are out for harm, and what each deserves. The test looks at memory and failure, the bench at time.

pub const MEMORY: &str = "Expression evaluation memory limit exceeded: Check for excessive memory usage";
pub const TIME: &str = "Expression evaluation timeout: Check for infinite loop";
pub const TOO_DEEP: &str = "The expression is nested too deeply";
pub const DEPTH: &str =
    "Stack overflow error: Check for non-terminating recursive function. Consider rewriting as tail-recursive";

pub fn hostile() -> Vec<(&'static str, String, &'static str)> {
    let nested = |open: &str, close: &str, times: usize| format!("{}1{}", open.repeat(times), close.repeat(times));
    vec![
        ("tail recursion without end", "($f := function($x){ $f($x+1) }; $f(1))".into(), TIME),
        ("recursion without end", "($f := function($x){ 1 + $f($x+1) }; $f(1))".into(), DEPTH),
        ("mutual recursion", "($f := function($x){ $g($x) }; $g := function($x){ $f($x) }; $f(1))".into(), TIME),
        ("recursion through map", "($f := function($n){ $map([1,2], function($v){ $f($v) }) }; $f(1))".into(), DEPTH),
        ("deep parentheses", nested("(", ")", 5000), TOO_DEEP),
        ("deep arrays", nested("[", "]", 5000), TOO_DEEP),
        ("a long sum", format!("1{}", "+1".repeat(10_000)), TOO_DEEP),
        ("a doubled text", "($f := function($s){ $f($s & $s) }; $f('x'))".into(), MEMORY),
        ("a doubled array", "($f := function($a){ $f($append($a, $a)) }; $f([1]))".into(), MEMORY),
        ("a doubled object", "($f := function($o){ $f({'a': $o, 'b': $o}) }; $string($f({})))".into(), MEMORY),
        ("a nested object", "($f := function($o){ $f({'a': $o}) }; $f({}))".into(), MEMORY),
        ("a nested array", "($f := function($o){ $f([[$o], [$o]]) }; $f([]))".into(), MEMORY),
        ("a merged object", "($f := function($o){ $f($merge([{'a': $o}, {'b': $o}])) }; $f({}))".into(), MEMORY),
        ("a padded text", "$pad('x', 1000000000)".into(), MEMORY),
        ("many padded texts", "$map([1..1000], function($i){ $pad('x', 6000000 + $i) })".into(), MEMORY),
        ("many padded texts, in short", "$map([1..1000].($string($)), $pad(?, 6000000))".into(), MEMORY),
        (
            "one text changed often",
            "($s := $pad('x', 6000000); $map([1..100000], function($i){ $length($uppercase($s)) }))".into(),
            MEMORY,
        ),
        (
            "one text changed often, in short",
            "($s := $pad('x', 6000000); $map([1..1000], function(){$s}) ~> $map($uppercase))".into(),
            TIME,
        ),
        (
            "one text looked at often",
            "($s := $pad('x', 6000000); $map([1..100000], function($i){ $contains($s, 'y') }))".into(),
            TIME,
        ),
        (
            "one text compared often",
            "($s := $pad('x', 6000000); $t := $pad('x', 6000000); $filter([1..100000], function($i){ $s = $t }))"
                .into(),
            TIME,
        ),
        ("a large range", "[1..10000000]".into(), MEMORY),
        ("a range beyond all", "[1..1000000000000]".into(), "D2014"),
        ("many large ranges", "$map([1..1000], function($i){ [1..800000] })".into(), MEMORY),
        ("a range of ranges", "[1..1000].([1..1000].([1..1000]))".into(), MEMORY),
        ("a product of everything", "($a := [1..2000]; $count($a.($x := $; $a.($x * $))))".into(), TIME),
        ("a large $range", "$range(1, 1000000000, 1)".into(), MEMORY),
        (
            "joined and split",
            "($s := $join([1..100000].($string($)), ','); $map([1..1000], function($i){ $count($split($s, ',')) }))"
                .into(),
            MEMORY,
        ),
        ("a sort that never agrees", "$sort([1..800000], function($a, $b){ $random() > 0.5 })".into(), TIME),
        ("nested quantifiers", "$contains('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /^(a+)+$/)".into(), TIME),
        (
            "alternatives that overlap",
            "$match('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!', /(a|aa)+$/)".into(),
            TIME,
        ),
        ("a regular expression over a long text", "$contains($pad('', 200000, 'a'), /(a*)*b/)".into(), TIME),
        ("a replacement that grows", "($f := function($s){ $f($replace($s, 'x', 'xx')) }; $f('x'))".into(), MEMORY),
        ("an encoded text that grows", "($f := function($s){ $f($base64encode($s)) }; $f('x'))".into(), MEMORY),
        ("a url that grows", "($f := function($s){ $f($encodeUrlComponent($s & '%')) }; $f('%'))".into(), MEMORY),
        (
            "a clone of much, often",
            "($a := [1..100000]; $map([1..1000], function($i){ $count($clone($a)) }))".into(),
            MEMORY,
        ),
        (
            "a transform of much, often",
            "($o := {'a': [1..100000]}; $map([1..1000], function($i){ $count(($o ~> |$|{'b':1}|).a) }))".into(),
            MEMORY,
        ),
    ]
}
