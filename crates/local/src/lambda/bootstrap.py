"""Runs a Python handler for the laptop's Lambda: takes invocations from the Lambda Runtime API one after another.

It imports little, because this file and what it imports is most of a cold start. What the handler prints goes to the
function's log. The process ends with the server: its standard input is a pipe that the server holds open.
"""

import json
import os
import socket
import sys
import threading
import time

HOST, PORT = os.environ["AWS_LAMBDA_RUNTIME_API"].rsplit(":", 1)
ROOT = os.environ["LAMBDA_TASK_ROOT"]
API = "/2018-06-01/runtime/"


def end_with_the_server():
    while os.read(0, 512):
        pass
    os._exit(1)


class Runtime:
    """The Runtime API over one connection that is kept open."""

    def __init__(self):
        self.socket = socket.create_connection((HOST, int(PORT)))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def ask(self, method, path, body=b"", kind=None):
        head = f"{method} {API}{path} HTTP/1.1\r\nHost: {HOST}:{PORT}\r\nContent-Length: {len(body)}\r\n"
        if kind:
            head += f"Lambda-Runtime-Function-Error-Type: {kind}\r\n"
        self.socket.sendall(head.encode("latin-1", "replace") + b"\r\n" + body)
        if not self.reader.readline():
            os._exit(1)
        headers = {}
        while (line := self.reader.readline().strip()):
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        return headers, self.reader.read(int(headers.get("content-length", 0)))


class Identity:
    def __init__(self, told):
        self.cognito_identity_id = told.get("cognitoIdentityId")
        self.cognito_identity_pool_id = told.get("cognitoIdentityPoolId")


class Client:
    def __init__(self, told):
        for name in ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name"):
            setattr(self, name, (told or {}).get(name))


class ClientContext:
    def __init__(self, told):
        self.client = Client(told.get("client"))
        self.custom = told.get("custom")
        self.env = told.get("env")


class Context:
    """What a handler is told beside its event, as AWS's own runtime tells it."""

    def __init__(self, headers):
        self.aws_request_id = headers["lambda-runtime-aws-request-id"]
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.identity = Identity(json.loads(headers.get("lambda-runtime-cognito-identity") or "{}"))
        told = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(json.loads(told)) if told else None
        self._deadline = int(headers["lambda-runtime-deadline-ms"])

    def get_remaining_time_in_millis(self):
        return max(0, self._deadline - int(time.time() * 1000))

    def log(self, message):
        sys.stdout.write(str(message))


def failure(message, kind, stack=(), request_id=""):
    return {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": list(stack)}


def failure_of(error, request_id):
    import traceback

    # The first frame is this file's own.
    stack = traceback.format_list(traceback.extract_tb(error.__traceback__)[1:])
    sys.stderr.write(f"[ERROR] {type(error).__name__}: {error}\nTraceback (most recent call last):\n{''.join(stack)}")
    return failure(str(error), type(error).__name__, stack, request_id)


def load(name):
    """The handler, or what AWS's runtime says when there is none."""
    module, _, function = name.rpartition(".")
    if not module:
        return None, failure(f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)", "Runtime.MalformedHandlerName")
    import importlib

    module = module.replace("/", ".")
    try:
        loaded = importlib.import_module(module)
    except ImportError as error:
        return None, failure(f"Unable to import module '{module}': {error}", "Runtime.ImportModuleError")
    except SyntaxError as error:
        stack = [f'  File "{error.filename}" Line {error.lineno}\n    {error.text}']
        return None, failure(f"Syntax error in module '{module}': {error}", "Runtime.UserCodeSyntaxError", stack)
    except Exception as error:
        return None, failure_of(error, "")
    if not hasattr(loaded, function):
        message = f"Handler '{function}' missing on module '{module}'"
        return None, failure(message, "Runtime.HandlerNotFound")
    return getattr(loaded, function), None


def plain(value):
    if isinstance(value, (bytes, bytearray)):
        return value.decode()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def main():
    threading.Thread(target=end_with_the_server, daemon=True).start()
    sys.path.insert(0, ROOT)
    # Code that is being worked on leaves no compiled files in its folder.
    sys.dont_write_bytecode = True
    # Output belongs to the invocation that made it.
    sys.stdout.reconfigure(line_buffering=True)
    runtime = Runtime()
    handler, failed = load(os.environ["_HANDLER"])
    if failed:
        sys.stderr.write(f"[ERROR] {failed['errorType']}: {failed['errorMessage']}\n")
        sys.stderr.flush()
        runtime.ask("POST", "init/error", json.dumps(failed).encode(), failed["errorType"])
        sys.exit(1)
    while True:
        headers, body = runtime.ask("GET", "invocation/next")
        context = Context(headers)
        request_id, answer = context.aws_request_id, None
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
        try:
            result = handler(json.loads(body), context)
            try:
                answer = json.dumps(result, ensure_ascii=False, default=plain).encode()
            except Exception as error:
                failed = failure(f"Unable to marshal response: {error}", "Runtime.MarshalError", (), request_id)
                sys.stderr.write(f"[ERROR] Runtime.MarshalError: {failed['errorMessage']}\n")
        except Exception as error:
            failed = failure_of(error, request_id)
        sys.stdout.flush()
        sys.stderr.flush()
        if answer is not None:
            runtime.ask("POST", f"invocation/{request_id}/response", answer)
        else:
            runtime.ask("POST", f"invocation/{request_id}/error", json.dumps(failed).encode(), failed["errorType"])


if __name__ == "__main__":
    main()
