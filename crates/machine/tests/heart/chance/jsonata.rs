//! Random states in JSONata: every field that takes an expression has one that works, one that may not, and one that
//! reads variables, the clock or chance.

use serde_json::{Value, json};

use super::program::{Author, Kind, NAMED, variable};

impl Author<'_, '_> {
    pub fn jsonata(&mut self, kind: Kind, depth: usize, all: &[String], next: Option<&String>) -> Value {
        let mut state = match (kind, next) {
            (Kind::Succeed, None) => json!({"Type": "Succeed"}),
            (Kind::Fail, None) => return self.computed_fail(),
            (Kind::Choice, Some(next)) => return self.computed_choice(all, next, depth),
            (Kind::Wait, _) => self.computed_wait(),
            (Kind::Parallel, _) if depth > 0 => self.computed_parallel(depth),
            (Kind::Map, _) if depth > 0 => self.computed_map(depth),
            (Kind::Task | Kind::Parallel | Kind::Map, _) => self.computed_task(),
            (Kind::Pass | Kind::Choice | Kind::Succeed | Kind::Fail, _) => json!({"Type": "Pass"}),
        };
        let works = matches!(state["Type"].as_str(), Some("Task" | "Parallel" | "Map"));
        let member = if works { "result" } else { "input" };
        if works {
            self.retriers(&mut state);
            self.computed_catchers(&mut state, all, depth);
        }
        match next {
            _ if state["Type"] == "Succeed" => {}
            Some(next) => state["Next"] = json!(next),
            None => state["End"] = json!(true),
        }
        if self.dice.one_in(2) {
            state["Output"] = self.output(member, depth);
        }
        if state["Type"] != "Succeed" && self.dice.one_in(2) {
            state["Assign"] = self.computed_assign(member, depth);
        }
        state
    }

    /// Whatever was computed, the next state finds something to work with.
    fn output(&mut self, member: &str, depth: usize) -> Value {
        let known = variable(depth);
        let outer = variable(depth + 1);
        match self.dice.roll(8) {
            0 => json!(format!("{{% $states.{member} %}}")),
            1 => json!("{% $states.input %}"),
            2 => json!({"items": "{% [1..2] %}", "n": 2, "id": "{% $uuid() %}", "at": "{% $now() %}"}),
            3 => json!({"items": ["{% $random() %}", null], "n": "{% $states.context.State.RetryCount %}"}),
            4 => json!(format!("{{% {{'items': [$exists(${known}) ? 1 : 2], 'n': $exists(${outer}) ? 3 : 1}} %}}")),
            5 => json!(format!("{{% $states.{member}.missing %}}")),
            6 => json!(format!("{{% ${known} %}}")),
            _ => json!({"items": [[]], "all": "{% $states.context %}"}),
        }
    }

    fn computed_assign(&mut self, member: &str, depth: usize) -> Value {
        let name = variable(depth);
        match self.dice.roll(5) {
            0 => {
                json!({&name: "{% $random() %}", format!("{name}x"): format!("{{% $exists(${name}) ? ${name} : 0 %}}")})
            }
            1 => json!({&name: format!("{{% $states.{member} %}}")}),
            2 => json!({&name: {"deep": ["{% $states.context.State.Name %}", "{% $uuid() %}"]}}),
            3 => json!({&name: "{% $pad('', 900, 'x') %}"}),
            _ => json!({&name: "{% $states.input.missing %}"}),
        }
    }

    fn computed_wait(&mut self) -> Value {
        let (field, value) = match self.dice.roll(5) {
            0 => ("Seconds", json!(self.dice.roll(30))),
            1 => ("Seconds", json!("{% $floor($random() * 9) %}")),
            2 => ("Seconds", json!("{% $states.input.n %}")),
            3 => ("Timestamp", json!("{% $fromMillis($millis() + 4000) %}")),
            _ => ("Timestamp", json!("{% $states.input.t %}")),
        };
        json!({"Type": "Wait", field: value})
    }

    fn computed_fail(&mut self) -> Value {
        match self.dice.roll(3) {
            0 => json!({"Type": "Fail", "Error": "Boom", "Cause": "{% $uuid() %}"}),
            1 => json!({"Type": "Fail", "Error": "{% $states.input.s %}"}),
            _ => json!({"Type": "Fail", "Cause": "{% $states.input.missing %}"}),
        }
    }

    fn computed_choice(&mut self, all: &[String], next: &str, depth: usize) -> Value {
        let other = all[self.dice.roll(all.len())].as_str();
        let conditions = ["{% $random() > 0.5 %}", "{% $states.input.n > 1 %}", "{% $exists($states.input.flag) %}"];
        let first = self.dice.pick(&conditions);
        let mut choice = json!({"Type": "Choice", "Choices": [
            {"Condition": first, "Next": other},
            {"Condition": "{% $states.input.n = 2 %}", "Next": next},
        ]});
        if self.dice.roll(4) != 3 {
            choice["Default"] = json!(next);
        }
        if self.dice.one_in(2) {
            choice["Choices"][0]["Output"] = self.output("input", depth);
            choice["Choices"][0]["Assign"] = self.computed_assign("input", depth);
            choice["Assign"] = self.computed_assign("input", depth);
        }
        choice
    }

    fn computed_task(&mut self) -> Value {
        let mut task = match self.dice.roll(5) {
            0 => json!({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke",
                "Arguments": {"FunctionName": "f", "Payload": "{% $states.input %}"}}),
            1 => json!({"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Arguments": {"QueueUrl": "q", "MessageBody": {"t": "{% $states.context.Task.Token %}", "u": "{% $uuid() %}"}}}),
            2 => json!({"Type": "Task", "Resource": "arn:aws:states:::batch:submitJob.sync",
                "Arguments": {"JobName": "{% $string($states.input.n) %}", "JobQueue": "q", "JobDefinition": "d"}}),
            3 => json!({"Type": "Task", "Resource": "arn:aws:states:us-east-1:000000000000:activity:a",
                "Arguments": "{% $states.input.missing %}"}),
            _ => json!({"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:000000000000:function:f"}),
        };
        if self.dice.one_in(3) {
            task["TimeoutSeconds"] = json!("{% 4 + $floor($random() * 20) %}");
            task["HeartbeatSeconds"] = json!("{% $states.input.n %}");
        }
        task
    }

    fn computed_catchers(&mut self, state: &mut Value, all: &[String], depth: usize) {
        if self.dice.one_in(2) {
            return;
        }
        let mut catchers = vec![
            json!({"ErrorEquals": NAMED[self.dice.roll(4)], "Next": all[self.dice.roll(all.len())]}),
            json!({"ErrorEquals": ["States.QueryEvaluationError"], "Output": {"n": 2, "items": [1]},
                "Next": all[self.dice.roll(all.len())]}),
        ];
        if self.dice.one_in(2) {
            let (output, assign) = (self.output("errorOutput", depth), self.computed_assign("errorOutput", depth));
            catchers.push(json!({"ErrorEquals": ["States.ALL"], "Output": output, "Assign": assign,
                "Next": all[self.dice.roll(all.len())]}));
        }
        state["Catch"] = json!(catchers);
    }

    fn computed_parallel(&mut self, depth: usize) -> Value {
        let branches: Vec<Value> = (0..self.dice.roll(3) + 1).map(|_| self.scope(depth - 1)).collect();
        let mut parallel = json!({"Type": "Parallel", "Branches": branches});
        if self.dice.one_in(2) {
            parallel["Arguments"] = self.output("input", depth);
        }
        parallel
    }

    fn computed_map(&mut self, depth: usize) -> Value {
        let mut map = json!({"Type": "Map", "ItemProcessor": self.scope(depth - 1)});
        match self.dice.roll(5) {
            0 => map["Items"] = json!("{% $states.input.items %}"),
            1 => map["Items"] = json!(["{% $random() %}", {"items": [1], "n": "{% $states.input.n %}"}]),
            2 => {}
            _ => map["Items"] = json!("{% [1..3].({'items': [$], 'n': $}) %}"),
        }
        if self.dice.one_in(2) {
            map["ItemSelector"] = json!({"n": "{% $states.context.Map.Item.Index %}", "items": [],
                "v": "{% $states.context.Map.Item.Value %}", "id": "{% $uuid() %}"});
        }
        match self.dice.roll(4) {
            0 => map["MaxConcurrency"] = json!("{% 1 + $floor($random() * 2) %}"),
            1 => map["MaxConcurrency"] = json!("{% $states.input.n %}"),
            2 => map["MaxConcurrency"] = json!(1),
            _ => {}
        }
        match self.dice.roll(5) {
            0 => map["ToleratedFailureCount"] = json!("{% $floor($random() * 3) %}"),
            1 => map["ToleratedFailurePercentage"] = json!("{% 50 %}"),
            2 => map["ToleratedFailureCount"] = json!("{% $states.input.missing %}"),
            _ => {}
        }
        map
    }
}
