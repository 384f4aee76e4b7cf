"""The server of `benchmarks.vlm`: `python -m benchmarks.vlm_server SECONDS` prints its address and answers so late.

One loop of asyncio, so that it takes as little of the machine as it can from the client that is measured.
"""

import asyncio
import json
import sys

MESSAGE = {"role": "assistant", "content": '{"actions": ["pouring water"]}'}
BODY = json.dumps(
    {
        "object": "chat.completion", "model": "m", "choices": [{"message": MESSAGE, "finish_reason": "stop"}],
        "usage": {"total_tokens": 1000},
    }
).encode()  # fmt: skip
HEAD = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(BODY)}\r\nconnection: close\r\n\r\n"


async def serve(seconds: float) -> None:
    """Answer every request with the same action, `seconds` after it has come whole."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        await reader.readexactly(int(head.partition("content-length:")[2].split()[0]))
        await asyncio.sleep(seconds)
        writer.write(HEAD.encode() + BODY)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, limit=1 << 24)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
