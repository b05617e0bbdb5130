//! The state machines that run here: each reaches a corner of the engine, small enough that a run holds many of them.
//! Every task draws a tag when it is scheduled, by which the world knows it again wherever it turns up.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use asl::Program;
use sha2::{Digest, Sha256};

pub(crate) const ACCOUNT: &str = "000000000000";
pub(crate) const ACTIVITIES: [&str; 2] = ["busy", "patient"];

/// What other executions start. It is never updated: a child that starts itself would never end.
pub(crate) const LEAF: &str = "leaf";

/// Whose executions a collector hears of: tokens, regions, jobs, waits.
pub(crate) const TRACED: [&str; 4] = ["callback", "broken-branches", "items", "job-in-time"];

/// What executions begin with.
pub(crate) const INPUTS: [&str; 4] = [
    r#"{"n":0,"s":1,"items":[1,2,3]}"#,
    r#"{"n":1,"s":7,"items":[]}"#,
    r#"{"n":2,"s":40,"items":[1,2,3,4,5,6,7,8]}"#,
    r#"{"n":3,"s":0,"items":["a"],"more":{"nested":[null,true,1.5,"\u00e9"]}}"#,
];

pub(crate) struct Definition {
    pub name: &'static str,
    pub text: &'static str,
}

const fn row(name: &'static str, text: &'static str) -> Definition {
    Definition { name, text }
}

pub(crate) const DEFINITIONS: &[Definition] = &[
    row(
        "choices",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Pass","Parameters":{"n.$":"$.n","id.$":"States.UUID()"},"Next":"B"},
            "B":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericGreaterThan":1,"Next":"C"}],"Default":"D"},
            "C":{"Type":"Pass","Next":"D"},
            "D":{"Type":"Succeed"}}}"#,
    ),
    row(
        "waits",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Wait","SecondsPath":"$.s","Next":"B"},
            "B":{"Type":"Pass","Next":"C"},
            "C":{"Type":"Wait","Seconds":3,"End":true}}}"#,
    ),
    row("far", r#"{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":900,"End":true}}}"#),
    row(
        "calls",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","ResultPath":null,
                "Parameters":{"FunctionName":"f","Payload":{"tag.$":"States.UUID()"}},
                "Retry":[{"ErrorEquals":["Service.Busy"],"IntervalSeconds":2,"MaxAttempts":2,"JitterStrategy":"FULL"}],
                "Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"Next":"C"},
            "B":{"Type":"Pass","Next":"C"},
            "C":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:g","TimeoutSeconds":30,
                "Parameters":{"tag.$":"States.UUID()"},"End":true}}}"#,
    ),
    row(
        "message",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","ResultPath":"$.sent",
                "Parameters":{"QueueUrl":"q","MessageBody":{"tag.$":"States.UUID()"}},"Next":"B"},
            "B":{"Type":"Fail","Error":"Sent","Cause":"on purpose"}}}"#,
    ),
    row(
        "callback",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters":{"QueueUrl":"q","MessageBody":{"tag.$":"States.UUID()","token.$":"$$.Task.Token"}},
                "HeartbeatSeconds":15,"TimeoutSeconds":100,"ResultPath":null,
                "Retry":[{"ErrorEquals":["States.HeartbeatTimeout"],"IntervalSeconds":1,"MaxAttempts":1}],
                "Catch":[{"ErrorEquals":["States.Timeout"],"Next":"B"}],"End":true},
            "B":{"Type":"Pass","End":true}}}"#,
    ),
    row(
        "patient-callback",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:::sns:publish.waitForTaskToken",
                "Parameters":{"TopicArn":"t","Message":{"tag.$":"States.UUID()","token.$":"$$.Task.Token"}},
                "End":true}}}"#,
    ),
    row(
        "job",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob.sync","ResultPath":"$.job",
                "Parameters":{"JobName":"j","JobDefinition":"d","JobQueue":"q","Tags":{"tag.$":"States.UUID()"}},
                "End":true}}}"#,
    ),
    row(
        "job-in-time",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:::glue:startJobRun.sync","TimeoutSeconds":10,
                "Parameters":{"JobName":"j","Arguments":{"tag.$":"States.UUID()"}},"ResultPath":null,
                "Retry":[{"ErrorEquals":["States.Timeout"],"IntervalSeconds":1,"MaxAttempts":1}],
                "Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},
            "B":{"Type":"Pass","End":true}}}"#,
    ),
    row(
        "child",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2",
                "Parameters":{"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:leaf",
                    "Input":{"tag.$":"States.UUID()"}},"ResultPath":null,
                "Catch":[{"ErrorEquals":["States.TaskFailed"],"Next":"B"}],"End":true},
            "B":{"Type":"Succeed"}}}"#,
    ),
    row(
        LEAF,
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Wait","Seconds":4,"Next":"B"},
            "B":{"Type":"Pass","Result":{"child":true},"End":true}}}"#,
    ),
    row(
        "work",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:busy",
                "Parameters":{"tag.$":"States.UUID()","n.$":"$.n"},"HeartbeatSeconds":10,"TimeoutSeconds":60,
                "Retry":[{"ErrorEquals":["States.Timeout","Worker.Tired"],"IntervalSeconds":1,"MaxAttempts":2}],
                "End":true}}}"#,
    ),
    row(
        "patient-work",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:patient",
                "Parameters":{"tag.$":"States.UUID()"},"End":true}}}"#,
    ),
    row(
        "branches",
        r#"{"StartAt":"P","States":{"P":{"Type":"Parallel","ResultPath":null,
            "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Z"}],"Next":"Z","Branches":[
            {"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke",
                "Parameters":{"FunctionName":"f","Payload":{"tag.$":"States.UUID()"}},"End":true}}},
            {"StartAt":"B","States":{"B":{"Type":"Wait","Seconds":5,"End":true}}},
            {"StartAt":"C","States":{"C":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
                "Parameters":{"QueueUrl":"q","MessageBody":{"tag.$":"States.UUID()","token.$":"$$.Task.Token"}},
                "TimeoutSeconds":40,"End":true}}}]},
            "Z":{"Type":"Pass","End":true}}}"#,
    ),
    row(
        "broken-branches",
        r#"{"StartAt":"P","States":{"P":{"Type":"Parallel","ResultPath":null,
            "Retry":[{"ErrorEquals":["Broken"],"IntervalSeconds":3,"MaxAttempts":1}],
            "Catch":[{"ErrorEquals":["States.ALL"],"Next":"Z"}],"Next":"Z","Branches":[
            {"StartAt":"A","States":{"A":{"Type":"Wait","SecondsPath":"$.n","Next":"F"},
                "F":{"Type":"Fail","Error":"Broken"}}},
            {"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob.sync",
                "Parameters":{"JobName":"j","JobDefinition":"d","JobQueue":"q","Tags":{"tag.$":"States.UUID()"}},
                "End":true}}},
            {"StartAt":"C","States":{"C":{"Type":"Task",
                "Resource":"arn:aws:states:us-east-1:000000000000:activity:busy",
                "Parameters":{"tag.$":"States.UUID()"},"TimeoutSeconds":60,"End":true}}},
            {"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","ItemProcessor":{"StartAt":"W","States":{
                "W":{"Type":"Wait","Seconds":50,"End":true}}},"End":true}}}]},
            "Z":{"Type":"Succeed"}}}"#,
    ),
    row(
        "items",
        r#"{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":2,"ItemProcessor":{
            "StartAt":"A","States":{"A":{"Type":"Task",
                "Resource":"arn:aws:states:us-east-1:000000000000:activity:busy",
                "Parameters":{"tag.$":"States.UUID()","index.$":"$$.Map.Item.Index"},"TimeoutSeconds":30,
                "Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":1,"MaxAttempts":1}],
                "Catch":[{"ErrorEquals":["States.Timeout"],"Next":"B"}],"End":true},
                "B":{"Type":"Pass","End":true}}},"End":true}}}"#,
    ),
    row(
        "items-in-items",
        r#"{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","ItemSelector":{"two":[1,2]},
            "ItemProcessor":{"StartAt":"N","States":{"N":{"Type":"Map","ItemsPath":"$.two","ItemProcessor":{
            "StartAt":"A","States":{
                "A":{"Type":"Pass","Next":"B"},
                "B":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke",
                "Parameters":{"FunctionName":"f","Payload":{"tag.$":"States.UUID()"}},"End":true}}},"End":true}}},
            "End":true}}}"#,
    ),
    row(
        "loop",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","ResultPath":null,
                "Parameters":{"FunctionName":"f","Payload":{"tag.$":"States.UUID()"}},"Next":"B"},
            "B":{"Type":"Wait","Seconds":1,"Next":"C"},
            "C":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"D"},
            "D":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":5,"Next":"A"}],"Default":"E"},
            "E":{"Type":"Succeed"}}}"#,
    ),
    row(
        "expressions",
        r#"{"QueryLanguage":"JSONata","StartAt":"A","States":{
            "A":{"Type":"Pass","Assign":{"id":"{% $uuid() %}","items":"{% $states.input.items %}","n":"{% $random() %}"},
                "Output":"{% $merge([$states.input, {'at': $millis()}]) %}","Next":"B"},
            "B":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke",
                "Arguments":{"FunctionName":"f","Payload":{"tag":"{% $uuid() %}","id":"{% $id %}"}},
                "Assign":{"done":"{% $states.result %}"},"Output":"{% $states.input %}",
                "Retry":[{"ErrorEquals":["Service.Busy"],"IntervalSeconds":1,"MaxAttempts":1}],
                "Catch":[{"ErrorEquals":["States.ALL"],"Assign":{"done":"{% $states.errorOutput %}"},
                    "Output":"{% $states.input %}","Next":"C"}],"Next":"C"},
            "C":{"Type":"Wait","Seconds":"{% $states.input.n + 1 %}","Next":"D"},
            "D":{"Type":"Map","Items":"{% $items %}","MaxConcurrency":2,"ItemProcessor":{"StartAt":"E","States":{
                "E":{"Type":"Choice","Assign":{"own":"{% $states.input %}"},
                    "Choices":[{"Condition":"{% $type($states.input) = 'number' and $states.input % 2 = 1 %}","Next":"F"}],
                    "Default":"G"},
                "F":{"Type":"Wait","Seconds":2,"Next":"G"},
                "G":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:busy",
                    "Arguments":{"tag":"{% $uuid() %}","own":"{% $states.input %}"},"TimeoutSeconds":60,"End":true}}},
                "Next":"H"},
            "H":{"Type":"Pass","Output":{"id":"{% $id %}","hash":"{% $hash($string($done), 'SHA-256') %}"},"End":true}}}"#,
    ),
    row(
        "mistaken",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Pass","Assign":{"n.$":"$.n","m":{"s.$":"$.s"}},"Next":"B"},
            "B":{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $n < 2 ? $states.input : $states.input.items[99] %}",
                "Assign":{"n":"{% $n + 1 %}"},"Next":"C"},
            "C":{"Type":"Wait","SecondsPath":"$m.s","Next":"D"},
            "D":{"Type":"Fail","ErrorPath":"States.Format('Over.{}', $n)"}}}"#,
    ),
    row(
        "hurry",
        r#"{"TimeoutSeconds":20,"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
            {"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":100,"End":true}}},
            {"StartAt":"B","States":{"B":{"Type":"Task","Resource":"arn:aws:states:::ecs:runTask.sync",
                "Parameters":{"TaskDefinition":"d","Tags":{"tag.$":"States.UUID()"}},"End":true}}}]}}}"#,
    ),
    row(
        "large",
        r#"{"StartAt":"A","States":{
            "A":{"Type":"Pass","Parameters":{"text.$":"States.Format('{}{}', States.JsonToString($), States.UUID())",
                "n.$":"$.n"},"Next":"B"},
            "B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","Next":"D"},"D":{"Type":"Pass","Next":"E"},
            "E":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","ResultPath":"$.result",
                "Parameters":{"FunctionName":"f","Payload":{"tag.$":"States.UUID()"}},"Next":"F"},
            "F":{"Type":"Pass","Next":"G"},"G":{"Type":"Pass","Next":"H"},"H":{"Type":"Pass","End":true}}}"#,
    ),
];

/// SHA-256 of a definition's text.
pub(crate) fn hash(definition: &str) -> [u8; 32] {
    Sha256::digest(definition.as_bytes()).into()
}

/// The program of a definition's hash.
pub(crate) fn program(wanted: &[u8; 32]) -> Option<Arc<Program>> {
    static PROGRAMS: LazyLock<BTreeMap<[u8; 32], Arc<Program>>> = LazyLock::new(|| {
        let compile = |definition: &Definition| {
            let program = asl::load(definition.text).expect("the definitions here are right");
            (hash(definition.text), Arc::new(program))
        };
        DEFINITIONS.iter().map(compile).collect()
    });
    PROGRAMS.get(wanted).cloned()
}
