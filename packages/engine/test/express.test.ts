import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import express from 'express'
import { expect, it, onTestFinished } from 'vitest'
import { EngineError, problemResponse } from '../src/index.ts'
import { api } from './routes.ts'

it('an Express host mounts the routes, commits with its events and replays by Idempotency-Key', async () => {
  const { engine, keys, count } = await api()
  const app = express()
  app.use('/webhooks', getRequestListener(engine.routes.fetch))
  // oxlint-disable-next-line oxc/no-async-endpoint-handlers -- Express 5 handles a rejection as an error
  app.post('/messages', express.text({ type: '*/*' }), async (request, response) => {
    const body = String(request.body)
    const { id } = JSON.parse(body) as { id: string }
    const key = request.get('idempotency-key')
    try {
      const committed = await engine.commit({
        writes: [{ sql: 'insert into messages (id, text) values (?, ?)', params: [id, 'hi'] }],
        events: [{ type: 'message.created', workspaceId: 'w1', data: { id } }],
        response: { status: 201, body: { id } },
        ...(key !== undefined && {
          idempotencyKey: { key, workspaceId: 'w1', method: 'POST', route: request.path, body },
        }),
      })
      response
        .status(committed.status)
        .set('idempotency-replayed', String(committed.replayed))
        .type('json')
        .send(committed.body)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      const problem = problemResponse(error, engine.logger)
      response
        .status(problem.status)
        .set(Object.fromEntries(problem.headers))
        .send(await problem.text())
    }
  })
  const server = app.listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const call = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${keys.w1}`,
        connection: 'close',
        ...headers,
      },
    })

  expect((await call('/webhooks/endpoints', { url: 'https://hooks.example.com/' })).status).toBe(201)
  const unknown = await call('/webhooks/nope', {})
  expect([unknown.status, unknown.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
  const answers = [
    await call('/messages', { id: 'm1' }, { 'idempotency-key': 'k1' }),
    await call('/messages', { id: 'm1' }, { 'idempotency-key': 'k1' }),
  ]
  expect(answers.map((answer) => [answer.status, answer.headers.get('idempotency-replayed')])).toEqual([
    [201, 'false'],
    [201, 'true'],
  ])
  const mismatch = await call('/messages', { id: 'm2' }, { 'idempotency-key': 'k1' })
  expect([mismatch.status, await mismatch.json()]).toEqual([
    422,
    expect.objectContaining({ code: 'idempotency_mismatch' }),
  ])
  expect([await count('messages'), await count('pending_events')]).toEqual([1, 1])
})
