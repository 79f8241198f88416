"""A FastAPI application as its manual has it: requests, a stream, an upload, a WebSocket."""

import asyncio
import hashlib

from fastapi import FastAPI, File, Request, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.get("/items/{item}")
async def item(item: int, request: Request):
    return {"item": item, "client": request.headers["x-forwarded-for"], "host": request.headers["host"]}


@app.get("/events")
async def events():
    async def produce():
        for n in range(3):
            yield f"data: {n}\n\n"
            await asyncio.sleep(0.2)
    return StreamingResponse(produce(), media_type="text/event-stream")


@app.post("/upload")
async def upload(file: UploadFile = File(...)):
    return {"sha256": hashlib.sha256(await file.read()).hexdigest()}


@app.put("/raw")
async def raw(request: Request):
    digest = hashlib.sha256()
    async for chunk in request.stream():
        digest.update(chunk)
    return {"sha256": digest.hexdigest()}


@app.websocket("/ws/{name}")
async def chat(websocket: WebSocket, name: str):
    await websocket.accept(subprotocol="chat" if "chat" in websocket.scope["subprotocols"] else None)
    try:
        while True:
            await websocket.send_json({"name": name, "said": await websocket.receive_text()})
    except WebSocketDisconnect:
        pass
