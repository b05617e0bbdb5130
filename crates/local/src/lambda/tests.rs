//! Stories about functions, with real processes.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Function, Lambda, Settings};
use crate::caller::Caller;
use crate::error::ServiceError;
use crate::store::{Clock, Store};

struct World {
    lambda: Lambda,
    store: Store,
    dir: tempfile::TempDir,
}

fn caller() -> Caller {
    Caller {
        account: "000000000000".to_owned(),
        region: "us-east-1".to_owned(),
        base_url: "http://127.0.0.1:8083".to_owned(),
        trace: None,
    }
}

fn lambda(store: &Store, dir: &Path, function: Function) -> Lambda {
    let functions = BTreeMap::from([("f".to_owned(), function)]);
    let settings = Settings { functions, ..Settings::default() };
    Lambda::new(store.clone(), &dir.join("lambda"), settings, "000000000000", "us-east-1").unwrap()
}

/// A function `f` whose folder has these files.
fn world(files: &[(&str, &str)], function: Function) -> World {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("f");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in files {
        write(&folder, name, text);
    }
    let store = Store::open(&dir.path().join("laptop.db"), Clock::System).unwrap();
    let function = Function { folder, ..function };
    World { lambda: lambda(&store, dir.path(), function), store, dir }
}

fn write(folder: &Path, name: &str, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(folder.join(name), text).unwrap();
    std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn python(text: &str) -> World {
    world(&[("app.py", text)], Function::default())
}

impl World {
    async fn call(&self, more: Value) -> Result<Value, ServiceError> {
        let mut params = json!({ "FunctionName": "f" });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.lambda.call("Invoke", params, &caller()).await
    }

    /// What the function answers to an event, and whether that is an error.
    async fn invoke(&self, event: Value) -> (Value, bool) {
        let answer = self.call(json!({ "Payload": STANDARD.encode(event.to_string()) })).await.unwrap();
        (payload(&answer), answer.get("FunctionError").is_some())
    }
}

fn payload(answer: &Value) -> Value {
    serde_json::from_slice(&STANDARD.decode(answer["Payload"].as_str().unwrap()).unwrap()).unwrap()
}

fn message(answer: &Value) -> String {
    let text = answer["errorMessage"].as_str().unwrap();
    // The request's id is another one each time.
    text.split_whitespace().map(|word| if word.len() == 36 { "ID" } else { word }).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn python_is_told_what_aws_tells_it_and_is_used_again() {
    let world = python(
        "import os\ncalls = 0\n\
         def lambda_handler(event, context):\n    global calls\n    calls += 1\n    print('seen', event)\n    \
         return {'event': event, 'calls': calls, 'arn': context.invoked_function_arn, 'name': context.function_name,\n        \
         'left': 2000 < context.get_remaining_time_in_millis() <= 3000, 'custom': context.client_context and context.client_context.custom,\n        \
         'here': os.path.samefile(os.getcwd(), os.environ['LAMBDA_TASK_ROOT']), 'text': 'é'}\n",
    );
    let context = STANDARD.encode(r#"{"custom": {"k": "v"}}"#);
    let event = STANDARD.encode(r#"{"n": 1}"#);
    let params = json!({ "Payload": event, "ClientContext": context, "LogType": "Tail", "Qualifier": "$LATEST" });
    let answer = world.call(params).await.unwrap();
    assert_eq!((&answer["StatusCode"], &answer["ExecutedVersion"]), (&json!(200), &json!("$LATEST")));
    assert_eq!(
        payload(&answer),
        json!({ "event": { "n": 1 }, "calls": 1, "arn": "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST",
                "name": "f", "left": true, "custom": { "k": "v" }, "here": true, "text": "é" })
    );
    let log = String::from_utf8(STANDARD.decode(answer["LogResult"].as_str().unwrap()).unwrap()).unwrap();
    let lines: Vec<&str> = log.lines().collect();
    assert!(lines[0].starts_with("START RequestId: ") && lines[0].ends_with(" Version: $LATEST"), "{log}");
    assert_eq!(lines[1], "seen {'n': 1}");
    assert!(lines[2].starts_with("END RequestId: "), "{log}");
    assert!(lines[3].starts_with("REPORT RequestId: ") && lines[3].contains("\tInit Duration: "), "{log}");
    assert_eq!(world.invoke(json!(null)).await.0["calls"], 2);
    let kept = std::fs::read_to_string(world.lambda.log_file("f").unwrap()).unwrap();
    assert_eq!(kept.matches("START RequestId").count(), 2, "{kept}");
}

#[tokio::test]
async fn failures_are_told_in_the_words_of_the_runtime() {
    let world = python(
        "import os, time\n\
         class OutOfInk(Exception):\n    pass\n\
         def lambda_handler(event, context):\n    \
         if event == 'raise':\n        raise OutOfInk('no ink')\n    \
         if event == 'exit':\n        os._exit(3)\n    \
         if event == 'kill':\n        os.kill(os.getpid(), 9)\n    \
         if event == 'set':\n        return {1, 2}\n    \
         return 'x' * 7000000 if event == 'long' else event\n",
    );
    let (failed, is_error) = world.invoke(json!("raise")).await;
    assert!(is_error);
    assert_eq!((&failed["errorType"], &failed["errorMessage"]), (&json!("OutOfInk"), &json!("no ink")));
    assert_eq!(failed["stackTrace"].as_array().unwrap().len(), 1, "only the function's own frames: {failed}");
    for (event, kind, text) in [
        ("exit", "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: exit status 3"),
        ("kill", "Runtime.ExitError", "RequestId: ID Error: Runtime exited with error: signal: 9"),
        ("set", "Runtime.MarshalError", "Unable to marshal response: Object of type set is not JSON serializable"),
        (
            "long",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
        ),
    ] {
        let (failed, is_error) = world.invoke(json!(event)).await;
        assert!(is_error, "{event}");
        assert_eq!((failed["errorType"].as_str().unwrap(), message(&failed).as_str()), (kind, text));
    }
    assert_eq!(world.invoke(json!("fine")).await, (json!("fine"), false), "after all that");
}

#[tokio::test]
async fn what_cannot_begin_says_why() {
    for (text, kind, said) in [
        ("import nothing_of_this_name\n", "Runtime.ImportModuleError", "No module named 'nothing_of_this_name'"),
        ("def lambda_handler(:\n", "Runtime.UserCodeSyntaxError", "Syntax error in module 'app'"),
        ("x = 1\n", "Runtime.HandlerNotFound", "Handler 'lambda_handler' missing on module 'app'"),
        ("raise ValueError('at import')\n", "ValueError", "at import"),
        ("import sys\nsys.exit(4)\n", "Runtime.ExitError", "exit status 4"),
    ] {
        let (failed, is_error) = python(text).invoke(json!({})).await;
        assert!(is_error && failed["errorType"] == kind, "{text}: {failed}");
        assert!(failed["errorMessage"].as_str().unwrap().contains(said), "{text}: {failed}");
    }
}

#[tokio::test]
async fn time_is_limited_and_the_whole_group_ends() {
    let function = Function { timeout: Some(Duration::from_millis(600)), ..Function::default() };
    let text = "import os, subprocess, time\n\
        def lambda_handler(event, context):\n    \
        child = subprocess.Popen(['sleep', '60'])\n    \
        open('child', 'w').write(str(child.pid))\n    \
        time.sleep(60)\n";
    let world = world(&[("app.py", text)], function);
    let began = Instant::now();
    let (failed, _) = world.invoke(json!({})).await;
    assert_eq!(failed["errorType"], "Sandbox.Timedout");
    assert_eq!(message(&failed), "RequestId: ID Error: Task timed out after 0.60 seconds");
    assert!(began.elapsed() < Duration::from_secs(15));
    let child = std::fs::read_to_string(world.dir.path().join("f/child")).unwrap();
    let is_there = || std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    for _ in 0..200 {
        if !is_there() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the function's own process {child} is still there");
}

#[tokio::test]
async fn code_that_was_changed_is_used_at_once() {
    let world = python("def lambda_handler(event, context):\n    return 'first'\n");
    assert_eq!(world.invoke(json!({})).await.0, "first");
    write(&world.dir.path().join("f"), "helper.py", "WORD = 'second'\n");
    write(
        &world.dir.path().join("f"),
        "app.py",
        "from helper import WORD\ndef lambda_handler(event, context):\n    return WORD\n",
    );
    assert_eq!(world.invoke(json!({})).await.0, "second");
    write(&world.dir.path().join("f"), "helper.py", "WORD = 'third'\n");
    assert_eq!(world.invoke(json!({})).await.0, "third");
}

#[tokio::test]
async fn invocations_run_side_by_side_up_to_the_functions_concurrency() {
    let text = "import time\ndef lambda_handler(event, context):\n    time.sleep(1.5)\n    return event\n";
    let function = Function { concurrency: Some(2), ..Function::default() };
    let world = world(&[("app.py", text)], function);
    let (one, two, three) = tokio::join!(world.call(json!({})), world.call(json!({})), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.call(json!({})).await
    });
    assert!(one.is_ok() && two.is_ok());
    let refused = three.unwrap_err();
    assert_eq!((refused.code.as_str(), refused.http_status), ("TooManyRequestsException", 429));
    assert_eq!(refused.message, "Rate Exceeded.");
    assert_eq!(refused.members["Reason"], "ReservedFunctionConcurrentInvocationLimitExceeded");
}

#[tokio::test]
async fn calls_that_mean_nothing_are_refused() {
    let world = python("def lambda_handler(event, context):\n    return event\n");
    for (params, code, text) in [
        (
            json!({ "FunctionName": "none" }),
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:none",
        ),
        (
            json!({ "Qualifier": "7" }),
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:000000000000:function:f:7",
        ),
        (
            json!({ "FunctionName": "arn:aws:lambda:us-east-1:111111111111:function:f" }),
            "ResourceNotFoundException",
            "Function not found: arn:aws:lambda:us-east-1:111111111111:function:f",
        ),
        (json!({ "FunctionName": "../f" }), "InvalidParameterValueException", "Invalid function name: ../f"),
        (
            json!({ "ClientContext": "e30" }),
            "InvalidParameterValueException",
            "Client context must be a valid Base64-encoded JSON object.",
        ),
    ] {
        let refused = world.call(params.clone()).await.unwrap_err();
        assert_eq!((refused.code.as_str(), refused.message.as_str()), (code, text), "{params}");
    }
    let refused = world.call(json!({ "Payload": STANDARD.encode("{") })).await.unwrap_err();
    assert_eq!(refused.code, "InvalidRequestContentException");
    assert!(refused.message.starts_with("Could not parse request body into json"), "{}", refused.message);
    assert_eq!(world.call(json!({ "InvocationType": "DryRun" })).await.unwrap()["StatusCode"], 204);
    let refused = world.lambda.call("CreateFunction", json!({}), &caller()).await.unwrap_err();
    assert!(refused.message.contains("--function NAME=FOLDER"), "{}", refused.message);
}

#[tokio::test]
async fn node_and_anything_else_speak_too() {
    let node = "export const handler = async (event, context) => {\n  \
        if (event.fail) { const e = new Error('no ink'); e.name = 'OutOfInk'; throw e; }\n  \
        console.log('seen'); return { event, name: context.functionName, left: context.getRemainingTimeInMillis() > 2000 };\n};\n";
    let world = world(&[("index.mjs", node)], Function::default());
    assert_eq!(
        world.invoke(json!({ "n": 1 })).await,
        (json!({ "event": { "n": 1 }, "name": "f", "left": true }), false)
    );
    let (failed, is_error) = world.invoke(json!({ "fail": true })).await;
    assert!(is_error && failed["errorType"] == "OutOfInk" && failed["errorMessage"] == "no ink", "{failed}");

    // A runtime in a few lines: one invocation after another, by whatever speaks HTTP.
    let shell = "#!/usr/bin/env python3\nimport os, urllib.request as u\n\
        api = 'http://' + os.environ['AWS_LAMBDA_RUNTIME_API'] + '/2018-06-01/runtime/invocation/'\n\
        while True:\n    got = u.urlopen(api + 'next')\n    \
        told = got.headers['Lambda-Runtime-Aws-Request-Id']\n    \
        u.urlopen(u.Request(api + told + '/response', data=b'[' + got.read() + b']', method='POST'))\n";
    let own = super::tests::world(&[("bootstrap", shell)], Function::default());
    assert_eq!(own.invoke(json!("x")).await, (json!(["x"]), false));
    assert_eq!(own.invoke(json!("y")).await, (json!(["y"]), false));
}

#[tokio::test]
async fn events_are_kept_until_they_are_done() {
    let text = "import json\ndef lambda_handler(event, context):\n    \
        open('seen', 'a').write(json.dumps(event) + '\\n')\n    \
        if event == 'fails': raise Exception('no')\n";
    let world = python(text);
    let event = |event: &str| {
        let payload = STANDARD.encode(json!(event).to_string());
        world.call(json!({ "InvocationType": "Event", "Payload": payload }))
    };
    // Nobody runs events yet: they are taken all the same, and are there after a restart.
    assert_eq!(event("one").await.unwrap(), json!({ "StatusCode": 202 }));
    assert_eq!(event("fails").await.unwrap(), json!({ "StatusCode": 202 }));
    let again =
        lambda(&world.store, world.dir.path(), Function { folder: world.dir.path().join("f"), ..Function::default() });
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let runner = tokio::spawn(async move { again.run(stopped).await });
    let rows = || {
        world.store.call(|tx| {
            let mut rows = tx.db.prepare("SELECT attempts, due_at - accepted_at >= 60000 FROM lambda_events")?;
            let rows = rows.query_map([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?)))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        })
    };
    for _ in 0..500 {
        if rows().await.unwrap() == [(1, true)] {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(rows().await.unwrap(), [(1, true)], "the one that failed is tried again in a minute");
    let mut seen: Vec<String> =
        std::fs::read_to_string(world.dir.path().join("f/seen")).unwrap().lines().map(str::to_owned).collect();
    seen.sort_unstable();
    assert_eq!(seen, ["\"fails\"", "\"one\""]);
    stop.send_replace(true);
    runner.await.unwrap();
}

#[tokio::test]
async fn functions_are_described() {
    let world = python("def lambda_handler(event, context):\n    return event\n");
    let told = world.lambda.call("GetFunction", json!({ "FunctionName": "f" }), &caller()).await.unwrap();
    let configuration = &told["Configuration"];
    assert_eq!(configuration["FunctionArn"], "arn:aws:lambda:us-east-1:000000000000:function:f");
    assert_eq!((&configuration["Handler"], &configuration["Timeout"]), (&json!("app.lambda_handler"), &json!(3)));
    let listed = world.lambda.call("ListFunctions", json!({}), &caller()).await.unwrap();
    assert_eq!(listed["Functions"][0], *configuration);
}

/// Not a limit that a busy machine could break: the figure is printed, and only nonsense fails.
#[tokio::test]
async fn the_cold_start_of_python_is_measured() {
    let world = python("def lambda_handler(event, context):\n    return event\n");
    world.lambda.pools["f"].find_python().await;
    let mut took = Vec::new();
    for n in 0..5 {
        write(&world.dir.path().join("f"), "changed.txt", &n.to_string().repeat(n + 1));
        let began = Instant::now();
        assert!(!world.invoke(json!({})).await.1);
        took.push(began.elapsed());
    }
    let warm = Instant::now();
    assert!(!world.invoke(json!({})).await.1);
    let warm = warm.elapsed();
    took.sort_unstable();
    println!("a cold start of Python took {:?} (median of {}), a warm call {warm:?}", took[2], took.len());
    assert!(took[0] > warm, "{took:?} {warm:?}");
}
