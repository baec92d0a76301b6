"""A server that speaks the OpenAI protocol for a real transformers model, and can be made to misbehave.

It serves `/v1/models` and `/v1/completions` (token prompts, `seed`, `stop`, `logprobs`, `echo`) on the loopback.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np

from ratchet.checkpoints import context_length, end_tokens, load_model, load_tokenizer
from ratchet.sample.decode import Decoded, decoding
from ratchet.sample.engine import cut
from ratchet.sample.transformers_engine import score_tokens, stopping

Body = dict[str, Any]


@dataclass
class Server:
    """What the server serves, what it was asked, and how it answers (`answer` may be exchanged)."""

    checkpoint: Path
    requests: list[Body] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""
    about: Body = field(default_factory=dict)
    before: Callable[["Server", Body], None] = lambda server, body: None
    answer: Callable[["Server", Body], Body] = lambda server, body: completion(server, body)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self.serve(self.checkpoint)

    def serve(self, checkpoint: Path) -> None:
        """Exchange the weights behind the address."""
        self.tokenizer, self.model = load_tokenizer(checkpoint), load_model(checkpoint)
        self.ends = end_tokens(checkpoint, self.tokenizer)
        self.checkpoint = checkpoint

    def attempts(self) -> list[Body]:
        """The requests for attempts, without those for fingerprints and probes."""
        return [body for body in self.requests if not body.get("echo") and len(body["prompt"]) > 0]


@contextmanager
def served(checkpoint: Path, **about: Any) -> Iterator[Server]:
    """A server of the checkpoint, for as long as the block lasts."""
    server = Server(checkpoint, about={"max_model_len": context_length(checkpoint), **about})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: Any) -> None:
            pass

        def do_GET(self) -> None:
            self._send({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "test", **server.about}]})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with server.lock:
                server.requests.append(body)
                server.headers.append(dict(self.headers))
                server.before(server, body)
                answer = server.answer(server, body)
            self._send(answer)

        def _send(self, answer: Body) -> None:
            status = answer.pop("status", 200)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listener.daemon_threads = True
    threading.Thread(target=listener.serve_forever, args=(0.02,), daemon=True).start()
    server.url = f"http://127.0.0.1:{listener.server_address[1]}/v1"
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()


def completion(server: Server, body: Body) -> Body:
    """What the model answers: one continuation, drawn with the request's own seed."""
    prompt = body["prompt"]
    drawn = _drawn(server, prompt, body)
    # The sum over the tokens is the model's; the protocol has one number a token, and here all are alike.
    logprobs: list[float | None] = [drawn.logprob / drawn.tokens] * drawn.tokens
    text = cut(server.tokenizer.decode(drawn.token_ids, skip_special_tokens=True), body.get("stop") or [])
    if body.get("echo"):
        logprobs = [None, *score_tokens(server.model, [tuple(prompt)])[0], *logprobs]
        text = server.tokenizer.decode(prompt) + text
    choice = {"index": 0, "text": text, "finish_reason": drawn.finish_reason}
    choice["logprobs"] = {"token_logprobs": logprobs}
    return {"object": "text_completion", "model": "m", "choices": [choice]}


def _drawn(server: Server, prompt: list[int], body: Body) -> Decoded:
    steps = decoding(
        server.model,
        [prompt],
        [1],
        lambda numbers: np.random.default_rng(body["seed"]).random((1, body["max_tokens"])),
        new_tokens=body["max_tokens"],
        temperature=body["temperature"],
        top_p=body.get("top_p", 1.0),
        end_tokens=server.ends,
        stops=stopping(server.tokenizer, body.get("stop") or []),
    )
    (decoded,) = [decoded for ended in steps for _, decoded in ended]
    return decoded
