//! Random state machines in JSONPath, in JSONata and in both. All of them are valid; what they do is anybody's guess.
//! The states in JSONata are written in `jsonata.rs`.

use serde_json::{Value, json};

use super::dice::Dice;

/// How deep Parallel and Map states stand in each other.
const DEPTH: usize = 3;

/// A definition and an input.
pub fn machine(dice: &mut Dice) -> (String, String) {
    let style = &STYLES[dice.roll(STYLES.len())];
    let language = [Language::JsonPath, Language::Mixed, Language::Jsonata][dice.roll(3)];
    let mut author = Author { dice, style, language, names: 0 };
    let mut machine = author.scope(DEPTH);
    if language == Language::Jsonata {
        machine["QueryLanguage"] = json!("JSONata");
    }
    if author.dice.one_in(6) {
        machine["TimeoutSeconds"] = json!(author.dice.roll(60) + 1);
    }
    (machine.to_string(), author.data().to_string())
}

/// What retriers and catchers name.
pub(super) const NAMED: [&[&str]; 4] =
    [&["Boom"], &["States.TaskFailed"], &["States.Timeout", "Other"], &["States.HeartbeatTimeout"]];

/// The variable of a depth.
pub(super) fn variable(depth: usize) -> String {
    format!("v{depth}")
}

/// What an author likes, so that rare things also meet: a machine that has a bit of everything hardly ever has much of
/// anything.
struct Style {
    /// The state types to pick from.
    kinds: &'static [Kind],
    /// The most states in a scope.
    length: usize,
}

/// What the states of a machine are written in.
#[derive(Clone, Copy, PartialEq)]
enum Language {
    JsonPath,
    Mixed,
    Jsonata,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Pass,
    Task,
    Choice,
    Wait,
    Succeed,
    Fail,
    Parallel,
    Map,
}

const STYLES: [Style; 4] = {
    use Kind::{Choice, Fail, Map, Parallel, Pass, Succeed, Task, Wait};
    [
        Style { kinds: &[Pass, Task, Task, Choice, Wait, Succeed, Fail, Parallel, Map, Map], length: 4 },
        Style { kinds: &[Map, Parallel, Task, Fail, Pass, Map, Parallel, Fail], length: 2 },
        Style { kinds: &[Task, Task, Parallel, Map, Choice], length: 3 },
        Style { kinds: &[Choice, Pass, Wait, Map, Fail], length: 5 },
    ]
};

pub(super) struct Author<'d, 't> {
    pub dice: &'d mut Dice<'t>,
    style: &'static Style,
    language: Language,
    names: usize,
}

impl Author<'_, '_> {
    /// Names are unique in a machine, and of every kind that AWS takes.
    fn name(&mut self) -> String {
        let what = self.dice.pick(&["S", "État ", "状态", "it's ", "🚀", "a.b-", "\\u00e9 ", "\u{202e}x"]);
        self.names += 1;
        format!("{what}{}", self.names)
    }

    /// Most data have what most states look for.
    pub fn data(&mut self) -> Value {
        match self.dice.roll(12) {
            10 => json!([1, "two"]),
            11 => json!(null),
            n => {
                let items: Vec<usize> = (0..n % 5).collect();
                json!({"items": items, "n": n % 3 + 1, "s": "é\"\\", "t": "2023-11-14T22:13:25Z", "flag": n % 2 == 0})
            }
        }
    }

    pub fn scope(&mut self, depth: usize) -> Value {
        let names: Vec<String> = (0..self.dice.roll(self.style.length) + 1).map(|_| self.name()).collect();
        let mut states = serde_json::Map::new();
        for (place, name) in names.iter().enumerate() {
            let state = self.state(depth, &names, names.get(place + 1));
            states.insert(name.clone(), state);
        }
        json!({"StartAt": names[0], "States": states})
    }

    fn state(&mut self, depth: usize, all: &[String], next: Option<&String>) -> Value {
        let kind = self.style.kinds[self.dice.roll(self.style.kinds.len())];
        let computed = match self.language {
            Language::JsonPath => false,
            Language::Mixed => self.dice.one_in(2),
            Language::Jsonata => true,
        };
        if computed {
            let mut state = self.jsonata(kind, depth, all, next);
            state["QueryLanguage"] = json!("JSONata");
            return state;
        }
        let mut state = match (kind, next) {
            (Kind::Succeed, None) => return json!({"Type": "Succeed"}),
            (Kind::Fail, None) => return self.fail(),
            (Kind::Choice, Some(next)) => return self.choice(all, next, depth),
            (Kind::Wait, _) => self.wait(),
            (Kind::Parallel, _) if depth > 0 => self.parallel(depth, all),
            (Kind::Map, _) if depth > 0 => self.map(depth, all),
            (Kind::Task | Kind::Parallel | Kind::Map, _) => self.task(all, depth),
            (Kind::Pass | Kind::Choice | Kind::Succeed | Kind::Fail, _) => self.pass(),
        };
        match next {
            Some(next) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        if self.dice.one_in(4) {
            state["Assign"] = self.assign(depth);
        }
        if self.dice.one_in(12) {
            let variable = json!(format!("${}", variable(depth)));
            state["InputPath"] = self
                .dice
                .pick(&[&json!("$"), &json!(null), &json!("$.missing"), &json!("$$.Execution.Input"), &variable])
                .clone();
        }
        if self.dice.one_in(15) {
            state["OutputPath"] =
                self.dice.pick(&[&json!("$"), &json!(null), &json!("$.r"), &json!("$.items")]).clone();
        }
        state
    }

    /// A branch may not set what is set around it, so each depth has variables of its own.
    fn assign(&mut self, depth: usize) -> Value {
        let name = variable(depth);
        match self.dice.roll(4) {
            0 => json!({&name: {"n": 1, "items": [1]}}),
            1 => json!({format!("{name}.$"): "$"}),
            2 => json!({format!("{name}.$"): "$$.State.Name", format!("{name}x.$"): "States.UUID()"}),
            _ => json!({&name: "x".repeat(1_500), format!("{name}x"): []}),
        }
    }

    fn pass(&mut self) -> Value {
        let mut pass = json!({"Type": "Pass"});
        match self.dice.roll(8) {
            0..=3 => {}
            4 => pass["Result"] = self.data(),
            5 => {
                pass["Parameters"] = json!({
                    "items.$": "$.items", "n": 1, "state.$": "$$.State.Name", "id.$": "$$.Execution.Name", "u.$": "States.UUID()"
                })
            }
            6 => pass["Parameters"] = json!({"m.$": "$.missing"}),
            _ => pass["Parameters"] = json!({"all.$": "$$", "n": 2, "items": [[]]}),
        }
        self.result_path(&mut pass);
        pass
    }

    fn result_path(&mut self, state: &mut Value) {
        match self.dice.roll(6) {
            0 | 1 => state["ResultPath"] = json!(null),
            2 => {}
            3 | 4 => state["ResultPath"] = json!("$.r"),
            _ => state["ResultPath"] = json!("$.s.deeper"),
        }
    }

    /// The next state stays reachable, so a Choice is never the last one.
    fn choice(&mut self, all: &[String], next: &str, depth: usize) -> Value {
        let mut goals = [next, all[self.dice.roll(all.len())].as_str()];
        if self.dice.one_in(2) {
            goals.reverse();
        }
        let mut choice = json!({"Type": "Choice", "Choices": [
            {"Variable": "$.n", "NumericGreaterThan": 1, "Next": goals[0]},
            {"Not": {"Variable": "$.flag", "IsPresent": true}, "Next": goals[1]},
        ]});
        if self.dice.roll(3) != 2 {
            choice["Default"] = json!(next);
        }
        if self.dice.one_in(3) {
            choice["Assign"] = self.assign(depth);
            choice["Choices"][0]["Assign"] = self.assign(depth);
        }
        choice
    }

    fn wait(&mut self) -> Value {
        match self.dice.roll(6) {
            0 => json!({"Type": "Wait", "Seconds": 0}),
            1 => json!({"Type": "Wait", "Seconds": self.dice.roll(30)}),
            2 => json!({"Type": "Wait", "SecondsPath": "$.n"}),
            3 => json!({"Type": "Wait", "Timestamp": "2023-11-14T22:13:00Z"}),
            4 => json!({"Type": "Wait", "Timestamp": "2023-11-14T22:14:00Z"}),
            _ => json!({"Type": "Wait", "TimestampPath": "$.t"}),
        }
    }

    fn fail(&mut self) -> Value {
        match self.dice.roll(4) {
            0 => json!({"Type": "Fail"}),
            1 => json!({"Type": "Fail", "Error": "Boom", "Cause": "because"}),
            2 => {
                json!({"Type": "Fail", "ErrorPath": "$.s", "CausePath": "States.Format('{} of {}', $.n, $$.State.Name)"})
            }
            _ => json!({"Type": "Fail", "ErrorPath": "$.missing"}),
        }
    }

    fn task(&mut self, all: &[String], depth: usize) -> Value {
        let mut task = match self.dice.roll(6) {
            0 => json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f"}),
            1 => json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                "Parameters": {"FunctionName": "f", "Payload.$": "$"}}),
            2 => json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters": {"QueueUrl": "q", "MessageBody": {"t.$": "$$.Task.Token", "in.$": "$"}}}),
            3 | 4 => json!({"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync",
                "Parameters": {"JobName": "j", "JobQueue": "q", "JobDefinition": "d"}}),
            _ => json!({"Type": "Task", "Resource": "arn:aws:states:us-east-1:000000000000:activity:a"}),
        };
        match self.dice.roll(6) {
            4 => task["TimeoutSeconds"] = json!(self.dice.roll(20) + 4),
            5 => task["TimeoutSecondsPath"] = json!("$.n"),
            _ => {}
        }
        if self.dice.one_in(4) && task.get("TimeoutSecondsPath").is_none() {
            task["HeartbeatSeconds"] = json!(3);
        }
        if self.dice.one_in(8) {
            task["ResultSelector"] = json!({"n.$": "$.n", "items.$": "$.items"});
        }
        self.handlers(&mut task, all, depth);
        self.result_path(&mut task);
        task
    }

    fn handlers(&mut self, state: &mut Value, all: &[String], depth: usize) {
        self.retriers(state);
        let mut catchers: Vec<Value> = Vec::new();
        if self.dice.one_in(3) {
            catchers.push(json!({"ErrorEquals": NAMED[self.dice.roll(4)], "Next": all[self.dice.roll(all.len())]}));
        }
        if self.dice.one_in(3) {
            let path = self.dice.pick(&["$.error", "$"]);
            let mut catcher =
                json!({"ErrorEquals": ["States.ALL"], "ResultPath": path, "Next": all[self.dice.roll(all.len())]});
            if self.dice.one_in(2) {
                catcher["Assign"] = self.assign(depth);
            }
            catchers.push(catcher);
        }
        if !catchers.is_empty() {
            state["Catch"] = json!(catchers);
        }
    }

    pub fn retriers(&mut self, state: &mut Value) {
        let retriers: Vec<Value> = (0..self.dice.roll(3))
            .map(|_| {
                let mut retrier = json!({"ErrorEquals": NAMED[self.dice.roll(4)], "MaxAttempts": self.dice.roll(3),
                    "IntervalSeconds": self.dice.roll(4) + 1, "BackoffRate": 1.0 + self.dice.roll(5) as f64 / 2.0});
                if self.dice.one_in(3) {
                    retrier["JitterStrategy"] = json!("FULL");
                }
                if self.dice.one_in(3) {
                    retrier["MaxDelaySeconds"] = json!(6);
                }
                retrier
            })
            .collect();
        if !retriers.is_empty() {
            state["Retry"] = json!(retriers);
        }
    }

    fn parallel(&mut self, depth: usize, all: &[String]) -> Value {
        let branches: Vec<Value> = (0..self.dice.roll(3) + 1).map(|_| self.scope(depth - 1)).collect();
        let mut parallel = json!({"Type": "Parallel", "Branches": branches});
        if self.dice.one_in(4) {
            parallel["Parameters"] = json!({"items.$": "$.items", "n": 3, "from.$": "$$.State.EnteredTime"});
        }
        if self.dice.one_in(6) {
            parallel["ResultSelector"] = json!({"items.$": "$", "n": 2});
        }
        self.handlers(&mut parallel, all, depth);
        self.result_path(&mut parallel);
        parallel
    }

    fn map(&mut self, depth: usize, all: &[String]) -> Value {
        let mut map = json!({"Type": "Map", "ItemsPath": "$.items", "ItemProcessor": self.scope(depth - 1)});
        if self.dice.roll(4) != 3 {
            map["ItemSelector"] = json!({"items.$": "$.items", "n.$": "$$.Map.Item.Index", "v.$": "$$.Map.Item.Value"});
        }
        match self.dice.roll(5) {
            1 => map["MaxConcurrency"] = json!(1),
            2 => map["MaxConcurrency"] = json!(2),
            3 => map["MaxConcurrencyPath"] = json!("$.n"),
            _ => {}
        }
        match self.dice.roll(6) {
            2 | 3 => map["ToleratedFailureCount"] = json!(self.dice.roll(3)),
            4 => map["ToleratedFailurePercentage"] = json!(50),
            5 => map["ToleratedFailureCountPath"] = json!("$.n"),
            _ => {}
        }
        self.handlers(&mut map, all, depth);
        self.result_path(&mut map);
        map
    }
}
