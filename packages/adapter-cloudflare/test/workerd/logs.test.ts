import { createExecutionContext, reset, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type Engine, createEngine, keepsend, migrateEngine, silentLogger } from '@keepsend/engine'
import { fromD1 } from '@keepsend/outbox/d1'
import { Hono } from 'hono'
import { expect, inject, it, onTestFinished, vi } from 'vitest'
import { createWorker } from '../../src/index.ts'
import { faulty } from './faulty.ts'
import { TEST_KEYS } from './keys.ts'
import { batchOf } from './rig.ts'

// Texts that must not appear in any log, planted wherever they could get into one.
const CANARY = {
  secret: btoa('canary-secret-canary-secret-0001'),
  brokenSecret: 'canary.broken.secret',
  payload: 'canary-payload',
  response: 'canary-response',
  header: 'canary-header-value',
  path: 'canary-path',
  query: 'canary-query',
  request: 'canary-request',
  idempotencyKey: 'canary-idempotency',
  wrongKey: `canary-key-${'A'.repeat(32)}`,
}

const POLICY = { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' } as const

/** All console output of this isolate until the end of the test. */
function listen(): () => string[] {
  const lines: string[] = []
  for (const method of ['debug', 'error', 'info', 'log', 'trace', 'warn'] as const) {
    const spy = vi.spyOn(console, method).mockImplementation((...said: unknown[]) => void lines.push(said.join(' ')))
    onTestFinished(() => spy.mockRestore())
  }
  return () => lines
}

it('no planted secret, key, body, header or URL is in any output of a Worker that succeeds and fails', async () => {
  await reset()
  await migrateEngine(fromD1(env.DB))
  const lines = listen()
  const { d1, judge } = faulty(env.DB)
  const sent: { body: unknown }[] = []
  const given = {
    ...env,
    DB: d1,
    WEBHOOKS: { sendBatch: async (messages: Iterable<{ body: unknown }>) => void sent.push(...messages) },
  }
  let made: Engine | undefined
  const worker = createWorker({
    bindings: ({ DB, WEBHOOKS }: typeof given) => ({
      db: DB,
      queue: WEBHOOKS,
      secrets: TEST_KEYS,
      engine: { urlPolicy: POLICY, deadlineMs: 1000, random: () => 0 },
    }),
    app: ({ engine }) => {
      made = engine
      return new Hono().use(keepsend(engine)).route('/webhooks', engine.routes)
    },
  })
  const { key } = await createEngine({
    db: fromD1(env.DB),
    queue: { send: async () => {} },
    secrets: TEST_KEYS,
    logger: silentLogger,
  }).apiKeys.create({
    workspaceId: 'w',
  })

  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const context = createExecutionContext()
    const request = new Request(`https://app.example.com/webhooks${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const response = await worker.fetch(request, given, context)
    await waitOnExecutionContext(context)
    const text = await response.text()
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
  }
  const consume = async (bodies: readonly unknown[], queue = 'keepsend') =>
    worker.queue(batchOf(bodies, { queue }), given)
  const db = fromD1(env.DB)
  const set = (column: string, value: string, id: unknown) =>
    db.run({
      sql: `update keepsend_endpoints set ${column} = ?, version = version + 1 where id = ?`,
      params: [value, String(id)],
    })

  const ids: Record<string, unknown> = {}
  const answers = {
    well: 200,
    failing: 500,
    refusing: 400,
    gone: 410,
    silent: 'never',
    blocked: 200,
    badSecret: 200,
  } as const
  for (const [name, status] of Object.entries(answers)) {
    const url = `${inject('receiver')}/hook/${CANARY.path}/${crypto.randomUUID()}?token=${CANARY.query}`
    await fetch(url, { method: 'PUT', body: JSON.stringify({ status, body: CANARY.response }) })
    const headers = { 'x-token': CANARY.header }
    const created = await call('POST', '/endpoints', { url, secret: `whsec_${CANARY.secret}`, headers })
    expect([name, created.status]).toEqual([name, 201])
    ids[name] = created.body['id']
  }
  await set('url', `http://169.254.169.254/${CANARY.path}?token=${CANARY.query}`, ids['blocked'])
  await db.run({
    sql: 'update keepsend_secrets set secret = ?, key_id = null where endpoint_id = ?',
    params: [`whsec_${CANARY.brokenSecret}`, String(ids['badSecret'])],
  })

  const event = { type: 'message.created', data: { text: CANARY.payload } }
  const idempotencyKey = { 'idempotency-key': CANARY.idempotencyKey }
  expect((await call('POST', '/events', event, idempotencyKey)).status).toBe(202)
  const statuses = [
    await call('POST', '/events', { ...event, data: { other: CANARY.payload } }, idempotencyKey),
    await call('POST', '/events', event, { 'idempotency-key': `"${CANARY.idempotencyKey}` }),
    await call('POST', '/events', `{"type": ${CANARY.request}`),
    await call('POST', '/endpoints', { url: `http://${CANARY.request}@example.com/` }),
    await call('GET', `/events?cursor=${CANARY.request}`),
    await call('GET', '/events', undefined, { authorization: `Bearer ks_${CANARY.wrongKey}` }),
  ].map(({ status }) => status)
  expect(statuses).toEqual([422, 400, 400, 422, 400, 401])

  await consume(sent.splice(0).map(({ body }) => body))
  const { rows } = await db.run({ sql: 'select last_error as error from pending_events order by 1', params: [] })
  // The database, which is not a log, contains the receivers' responses.
  expect(rows.map(({ error }) => String(error).split(/[: ]/)[0])).toEqual(
    expect.arrayContaining(['HTTP', 'internal_error', 'blocked_address', 'timeout']),
  )
  expect(JSON.stringify(rows)).toContain(CANARY.response)

  // Messages that anybody may have put into the queue; a worker that died on the last attempt; dead letters.
  await consume([
    { data: { text: CANARY.payload } },
    CANARY.payload,
    [CANARY.payload],
    { type: 'not a type', workspaceId: 'w', data: { text: CANARY.payload } },
    { type: 'a', workspaceId: 'w', data: CANARY.payload },
  ])
  const [first] = (
    await db.run({ sql: `select id, gen from pending_events where status = 'pending' limit 1`, params: [] })
  ).rows
  await db.run({
    sql: `update pending_events set attempts = max_attempts, claimed_at = 1, due_at = 1, crashes = 9, last_error = ? where id = ?`,
    params: [`HTTP 500: ${CANARY.response}`, String(first?.['id'])],
  })
  const again = batchOf([{ outboxId: first?.['id'], gen: first?.['gen'] }], { attempts: 2 })
  await worker.queue(again, given)
  await consume([CANARY.payload, { outboxId: 'nobody', gen: 0 }], 'keepsend-dead-letters')

  // The storage, while it refuses, and without a table.
  judge(() => 'refused')
  await consume([{ outboxId: 'x', gen: 0 }])
  expect((await call('POST', '/events', event)).status).toBe(503)
  await made?.publish({ workspaceId: 'w', ...event })
  await expect(worker.scheduled({}, given)).rejects.toThrow('the sweep failed')
  judge()
  await reset()
  expect((await call('GET', '/health')).status).toBe(503)

  const all = lines()
  expect(all.length).toBeGreaterThan(5)
  for (const line of all) {
    expect(JSON.parse(line)).toMatchObject({ level: expect.any(String), message: expect.any(String) })
    // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]|https?:\/\/[^\s"]*\//)
  }
  for (const [what, planted] of Object.entries({ ...CANARY, key: key.slice(3) })) {
    expect(all.join('\n').includes(planted), `${what} (${planted}) is in the output`).toBe(false)
  }
  expect(all.join('\n')).not.toMatch(/canary/i)
  expect(all.join('\n')).toContain('delivery failed: its attempts are exhausted')
})
