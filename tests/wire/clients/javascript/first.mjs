// The README's first example with the JavaScript SDK: create, start, wait; then an Express execution in one call.
import {
  CreateStateMachineCommand, DescribeExecutionCommand, SFNClient, StartExecutionCommand, StartSyncExecutionCommand,
} from "@aws-sdk/client-sfn";

const [name, definition, roleArn] = process.argv.slice(2);
const client = new SFNClient({ endpoint: process.env.AWS_ENDPOINT_URL, disableHostPrefix: true });
const machine = await client.send(new CreateStateMachineCommand({ name, definition, roleArn }));
const started = await client.send(
  new StartExecutionCommand({ stateMachineArn: machine.stateMachineArn, name: "first" }),
);
let execution;
do {
  execution = await client.send(new DescribeExecutionCommand({ executionArn: started.executionArn }));
} while (execution.status === "RUNNING");
const express = await client.send(
  new CreateStateMachineCommand({ name: `${name}-express`, definition, roleArn, type: "EXPRESS" }),
);
const sync = await client.send(new StartSyncExecutionCommand({ stateMachineArn: express.stateMachineArn }));
console.log(JSON.stringify({
  execution: started.executionArn, status: execution.status, output: execution.output, sync: sync.output,
}));
