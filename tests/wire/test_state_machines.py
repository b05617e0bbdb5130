"""State machines and activities as resources: created, read, changed, listed, tagged, deleted; and what is refused."""

import datetime
import json

import pytest
from world import ACCOUNT, PASS, REGION, ROLE, eventually, refusal, request, states, unique, wait

PREFIX = f"arn:aws:states:{REGION}:{ACCOUNT}:"
OTHER = states(Only={"Type": "Pass", "Result": 1})


def test_create_and_describe(server):
    name, text = unique("machine"), json.dumps(PASS)
    created = server.sfn.create_state_machine(name=name, definition=text, roleArn=ROLE)
    assert created["stateMachineArn"] == f"{PREFIX}stateMachine:{name}"
    assert abs((created["creationDate"] - datetime.datetime.now(datetime.UTC)).total_seconds()) < 60
    described = server.sfn.describe_state_machine(stateMachineArn=created["stateMachineArn"])
    assert described["definition"] == text
    assert (described["name"], described["status"], described["type"]) == (name, "ACTIVE", "STANDARD")
    assert described["roleArn"] == ROLE
    assert described["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert described["tracingConfiguration"] == {"enabled": False}


def test_create_is_idempotent_for_the_same_parameters(server):
    name, text = unique("machine"), json.dumps(PASS)
    first = server.sfn.create_state_machine(name=name, definition=text, roleArn=ROLE)
    again = server.sfn.create_state_machine(name=name, definition=text, roleArn=ROLE)
    assert (again["stateMachineArn"], again["creationDate"]) == (first["stateMachineArn"], first["creationDate"])
    code, message = refusal(server.sfn.create_state_machine, name=name, definition=json.dumps(OTHER), roleArn=ROLE)
    assert (code, message) == (
        "StateMachineAlreadyExists",
        f"State Machine Already Exists: '{first['stateMachineArn']}'",
    )


def test_update_changes_what_is_given_and_running_executions_keep_theirs(server):
    arn = server.machine(states(Wait=wait(1), Old={"Type": "Pass", "Result": "old"}))
    running = server.begin(arn)
    updated = server.sfn.update_state_machine(stateMachineArn=arn, definition=json.dumps(OTHER))
    assert updated["updateDate"]
    assert json.loads(server.sfn.describe_state_machine(stateMachineArn=arn)["definition"]) == OTHER
    assert server.run(arn)["output"] == "1"
    pinned = server.sfn.describe_state_machine_for_execution(executionArn=running)
    assert "Old" in pinned["definition"] and pinned["stateMachineArn"] == arn
    assert server.ended(running)["output"] == '"old"'

    role = ROLE + "-other"
    server.sfn.update_state_machine(stateMachineArn=arn, roleArn=role)
    described = server.sfn.describe_state_machine(stateMachineArn=arn)
    assert described["roleArn"] == role and json.loads(described["definition"]) == OTHER

    code, message = refusal(server.sfn.update_state_machine, stateMachineArn=arn)
    assert code == "MissingRequiredParameter"
    assert message == (
        "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"
    )


def test_delete_waits_for_running_executions(server):
    arn = server.machine(states(Wait=wait(1)))
    running = server.begin(arn)
    server.sfn.delete_state_machine(stateMachineArn=arn)
    assert server.sfn.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
    assert refusal(server.sfn.start_execution, stateMachineArn=arn)[0] == "StateMachineDeleting"
    assert server.ended(running)["status"] == "SUCCEEDED"

    def gone():
        try:
            return server.sfn.describe_state_machine(stateMachineArn=arn)["status"]
        except server.sfn.exceptions.StateMachineDoesNotExist as error:
            return error.response["Error"]["Message"]

    assert eventually(gone, lambda told: told != "DELETING") == f"State Machine Does Not Exist: '{arn}'"
    # AWS answers 200 to the deletion of what is not there.
    server.sfn.delete_state_machine(stateMachineArn=arn)


def test_list_state_machines_by_pages(server):
    made = sorted(server.machine(PASS) for _ in range(5))
    page, seen, pages = server.sfn.list_state_machines(maxResults=2), [], 0
    while True:
        pages += 1
        assert len(page["stateMachines"]) <= 2
        seen += [row["stateMachineArn"] for row in page["stateMachines"]]
        if "nextToken" not in page:
            break
        page = server.sfn.list_state_machines(maxResults=2, nextToken=page["nextToken"])
    assert len(seen) == len(set(seen)) and set(made) <= set(seen) and pages >= 3
    assert set(page["stateMachines"][0]) == {"stateMachineArn", "name", "type", "creationDate"}


TOO_MANY = "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: "
TOO_MANY += "Member must have value less than or equal to 1000"


@pytest.mark.parametrize(
    ("operation", "parameters"),
    [
        ("list_state_machines", {}),
        ("list_activities", {}),
        ("list_executions", {"stateMachineArn": f"{PREFIX}stateMachine:any"}),
        ("get_execution_history", {"executionArn": f"{PREFIX}execution:any:one"}),
    ],
)
def test_pages_have_at_most_a_thousand(server, operation, parameters):
    call = getattr(server.sfn, operation)
    assert refusal(call, maxResults=1001, **parameters) == ("ValidationException", TOO_MANY)


def test_a_page_token_that_nobody_gave_is_refused(server):
    arn = server.machine(PASS)
    assert refusal(server.sfn.list_state_machines, nextToken="made-up")[0] == "InvalidToken"
    assert refusal(server.sfn.list_executions, stateMachineArn=arn, nextToken="made-up")[0] == "InvalidToken"


def test_tags(server):
    arn = server.sfn.create_state_machine(
        name=unique("machine"), definition=json.dumps(PASS), roleArn=ROLE, tags=[{"key": "team", "value": "a"}]
    )["stateMachineArn"]
    server.sfn.tag_resource(resourceArn=arn, tags=[{"key": "stage", "value": "test"}, {"key": "team", "value": "b"}])
    tags = server.sfn.list_tags_for_resource(resourceArn=arn)["tags"]
    assert {tag["key"]: tag["value"] for tag in tags} == {"team": "b", "stage": "test"}
    server.sfn.untag_resource(resourceArn=arn, tagKeys=["team", "never"])
    assert server.sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "stage", "value": "test"}]


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ({"StartAt": "A"}, "SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /"),
        ("not a definition", "INVALID_JSON_DESCRIPTION: Unrecognized token 'not'"),
        (
            states(A={"Type": "Pass", "Next": "B"}),
            "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next",
        ),
    ],
)
def test_wrong_definitions_are_refused(server, definition, reason):
    text = definition if isinstance(definition, str) else json.dumps(definition)
    code, message = refusal(server.sfn.create_state_machine, name=unique("m"), definition=text, roleArn=ROLE)
    assert code == "InvalidDefinition"
    assert message.startswith(f"Invalid State Machine Definition: '{reason}"), message


def test_validate_tells_every_mistake(server):
    wrong = states(A={"Type": "Pass", "Next": "Nowhere"}, B={"Type": "Task", "End": True})
    told = server.sfn.validate_state_machine_definition(definition=json.dumps(wrong))
    assert told["result"] == "FAIL"
    found = {(d["code"], d.get("location")) for d in told["diagnostics"]}
    assert ("MISSING_TRANSITION_TARGET", "/States/A/Next") in found
    assert any(location == "/States/B" for _, location in found), found
    told = server.sfn.validate_state_machine_definition(definition=json.dumps(PASS))
    assert (told["result"], told["diagnostics"]) == ("OK", [])


@pytest.mark.parametrize("name", ["with space", "a*b", "a/b", "a<b", 'a"b', "a|b", "ä\x7f"])
def test_bad_names_are_refused(server, name):
    assert refusal(server.sfn.create_activity, name=name) == ("InvalidName", f"Invalid Name: '{name}'")
    machine = {"name": name, "definition": json.dumps(PASS), "roleArn": ROLE}
    assert refusal(server.sfn.create_state_machine, **machine) == ("InvalidName", f"Invalid Name: '{name}'")


@pytest.mark.parametrize(
    ("operation", "parameter"),
    [
        ("describe_state_machine", "stateMachineArn"),
        ("delete_state_machine", "stateMachineArn"),
        ("list_executions", "stateMachineArn"),
        ("start_execution", "stateMachineArn"),
        ("describe_execution", "executionArn"),
        ("stop_execution", "executionArn"),
        ("get_execution_history", "executionArn"),
        ("describe_state_machine_for_execution", "executionArn"),
        ("describe_activity", "activityArn"),
        ("delete_activity", "activityArn"),
        ("get_activity_task", "activityArn"),
        ("list_tags_for_resource", "resourceArn"),
    ],
)
def test_what_is_no_arn_is_refused(server, operation, parameter):
    code, message = refusal(getattr(server.sfn, operation), **{parameter: "no_arn"})
    assert (code, message) == ("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: no_arn'")


@pytest.mark.parametrize(
    ("operation", "parameter", "kind", "code", "words"),
    [
        ("describe_state_machine", "stateMachineArn", "stateMachine", "StateMachineDoesNotExist", "State Machine"),
        ("list_executions", "stateMachineArn", "stateMachine", "StateMachineDoesNotExist", "State Machine"),
        ("start_execution", "stateMachineArn", "stateMachine", "StateMachineDoesNotExist", "State Machine"),
        ("describe_execution", "executionArn", "execution", "ExecutionDoesNotExist", "Execution"),
        ("stop_execution", "executionArn", "execution", "ExecutionDoesNotExist", "Execution"),
        ("get_execution_history", "executionArn", "execution", "ExecutionDoesNotExist", "Execution"),
        ("describe_activity", "activityArn", "activity", "ActivityDoesNotExist", "Activity"),
        ("get_activity_task", "activityArn", "activity", "ActivityDoesNotExist", "Activity"),
    ],
)
def test_what_is_not_there_is_said_to_be_not_there(server, operation, parameter, kind, code, words):
    arn = f"{PREFIX}{kind}:nobody" + (":ever" if kind == "execution" else "")
    told = refusal(getattr(server.sfn, operation), **{parameter: arn})
    assert told == (code, f"{words} Does Not Exist: '{arn}'")


def test_activities_are_created_once_and_listed(server):
    names = [unique("activity") for _ in range(3)]
    made = [server.sfn.create_activity(name=name)["activityArn"] for name in names]
    assert made[0] == f"{PREFIX}activity:{names[0]}"
    again = server.sfn.create_activity(name=names[0])
    described = server.sfn.describe_activity(activityArn=made[0])
    assert (again["activityArn"], again["creationDate"]) == (made[0], described["creationDate"])
    assert described["name"] == names[0]
    rows = server.all("list_activities", "activities", PaginationConfig={"PageSize": 2})
    listed = [row["activityArn"] for row in rows]
    assert set(made) <= set(listed) and len(listed) == len(set(listed))
    server.sfn.delete_activity(activityArn=made[0])
    assert refusal(server.sfn.describe_activity, activityArn=made[0])[0] == "ActivityDoesNotExist"
    server.sfn.delete_activity(activityArn=made[0])


def test_what_is_not_there_yet_says_so(server):
    """A Map that this version cannot run fails; it does not run otherwise than it is written."""
    mode = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    processor = {"ProcessorConfig": mode, "StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}}
    described = server.run(states(Each={"Type": "Map", "ItemProcessor": processor}), [1])
    assert described["error"] == "States.Runtime" and "DISTRIBUTED" in described["cause"]


def test_an_unknown_operation_is_refused(server):
    headers = {"X-Amz-Target": "AWSStepFunctions.DoMagic", "Content-Type": "application/x-amz-json-1.0"}
    status, _, body = request(server, "POST", "/", headers, "{}")
    assert status == 400 and json.loads(body)["__type"].endswith("UnknownOperationException"), body


def test_an_access_key_of_twelve_digits_names_its_account(server):
    other = server.client("stepfunctions", account="000000000002")
    name = unique("machine")
    arn = other.create_state_machine(name=name, definition=json.dumps(PASS), roleArn=ROLE)["stateMachineArn"]
    assert arn == f"arn:aws:states:{REGION}:000000000002:stateMachine:{name}"
    assert arn not in [row["stateMachineArn"] for row in server.all("list_state_machines", "stateMachines")]
    assert [row["stateMachineArn"] for row in other.list_state_machines()["stateMachines"]] == [arn]
