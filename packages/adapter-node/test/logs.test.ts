import { fork } from 'node:child_process'
import { once } from 'node:events'
import Database from 'better-sqlite3'
import { expect, it, onTestFinished } from 'vitest'
import { startRawReceiver } from './raw-receiver.ts'
import { startReceiver } from './receiver.ts'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

// Texts that must not appear in any log, planted wherever they could get into one.
const CANARY = {
  secret: Buffer.from('canary-secret-canary-secret-0001').toString('base64'),
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

interface Line {
  level: string
  message: string
}

/** The server in a process of its own, with the output of both streams. */
async function start(file: string) {
  const child = fork(new URL('logs-process.ts', import.meta.url), [file], {
    execArgv: ['--conditions=@keepsend/source'],
    silent: true,
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const output = { out: '', err: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => (output.out += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => (output.err += text))
  const [{ url, key }] = (await once(child, 'message')) as [{ url: string; key: string }]
  const call = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) => {
    const response = await fetch(`${url}/webhooks${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await response.text()
    return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
  }
  const logged = (message: string) =>
    expect.poll(() => output.out, { timeout: PATIENCE_MS, interval: 20 }).toContain(message)
  const stop = async () => {
    const exited = once(child, 'close')
    child.kill('SIGTERM')
    await exited
  }
  return { key, call, logged, stop, output }
}

it(
  'no planted secret, key, body, header or URL is in any output of a server that succeeds and fails',
  {
    timeout: PATIENCE_MS,
  },
  async () => {
    const file = temporaryFile()
    const { key, call, logged, stop, output } = await start(file)
    const database = new Database(file)
    onTestFinished(() => void database.close())

    const echo = (status: number) =>
      startReceiver((request) => request.answer(status, `${CANARY.response} ${request.body}`))
    const receivers = {
      well: (await echo(200)).url,
      failing: (await echo(500)).url,
      refusing: (await echo(400)).url,
      gone: (await echo(410)).url,
      silent: (await startReceiver(() => undefined)).url,
      nonsense: (await startRawReceiver((socket) => socket.end(`${CANARY.response}\r\n\r\n`))).url,
      closed: 'http://127.0.0.1:1',
      blocked: (await echo(200)).url,
      badSecret: (await echo(200)).url,
      badHeaders: (await echo(200)).url,
    }
    const ids: Record<string, string> = {}
    for (const [name, origin] of Object.entries(receivers)) {
      const url = new URL(`/${CANARY.path}?token=${CANARY.query}`, origin).href
      const { status, body } = await call('POST', '/endpoints', {
        url,
        secret: `whsec_${CANARY.secret}`,
        headers: { 'x-token': CANARY.header },
        retrySchedule: [1, 1],
        deadlineMs: 1000,
      })
      expect([name, status]).toEqual([name, 201])
      ids[name] = String(body['id'])
    }
    const set = (column: string, value: string, id = '') =>
      database.prepare(`update keepsend_endpoints set ${column} = ?, version = version + 1 where id = ?`).run(value, id)
    set('url', `http://169.254.169.254/${CANARY.path}?token=${CANARY.query}`, ids['blocked'])
    database
      .prepare('update keepsend_secrets set secret = ?, key_id = null where endpoint_id = ? and scheme = ?')
      .run(`whsec_${CANARY.brokenSecret}`, ids['badSecret'], 'v1')

    // The requests: a valid one, and the mistakes that a client can make.
    const event = { type: 'message.created', data: { text: CANARY.payload } }
    const idempotencyKey = { 'idempotency-key': CANARY.idempotencyKey }
    expect((await call('POST', '/events', event, idempotencyKey)).status).toBe(202)
    const statuses = [
      await call('POST', '/events', { ...event, data: { other: CANARY.payload } }, idempotencyKey),
      await call('POST', '/events', event, { 'idempotency-key': `"${CANARY.idempotencyKey}` }),
      await call('POST', '/events', `{"type": ${CANARY.request}`),
      await call('POST', '/events', { [CANARY.request]: CANARY.request }),
      await call('POST', '/events', `{"type":"a","data":{"${CANARY.request}":${'['.repeat(100)}${']'.repeat(100)}}}`),
      await call('POST', '/endpoints', { url: `http://${CANARY.request}@example.com/` }),
      await call('POST', '/endpoints', { url: receivers.well, secret: `whsec_${CANARY.brokenSecret}` }),
      await call('POST', '/endpoints', { url: receivers.well, headers: { 'x-a': `${CANARY.header}\n` } }),
      await call('GET', `/events?cursor=${CANARY.request}`),
      await call('GET', '/events', undefined, { authorization: `Bearer ks_${CANARY.wrongKey}` }),
    ].map(({ status }) => status)
    expect(statuses).toEqual([422, 400, 400, 400, 400, 422, 422, 422, 400, 401])
    expect((await call('GET', `/endpoints/${ids['well']}/secret`)).status).toBe(200)
    expect((await call('POST', `/endpoints/${ids['well']}/rotate-secret`, {})).status).toBe(200)

    // The deliveries: each has ended or failed once, and the database, which is not a log, contains the receiver's response.
    const errors = database.prepare('select endpoint_id as endpoint, last_error as error, status from pending_events')
    const errorOf = (name: string) =>
      (errors.all() as { endpoint: string; error: string | null; status: string }[]).find(
        ({ endpoint }) => endpoint === ids[name],
      )
    for (const [name, error] of [
      ['failing', CANARY.response],
      ['refusing', CANARY.response],
      ['gone', CANARY.response],
      ['silent', 'timeout'],
      ['nonsense', 'invalid_response'],
      ['closed', 'connect'],
      ['blocked', 'blocked_address'],
      ['badSecret', 'internal_error'],
    ] as const) {
      await expect.poll(() => errorOf(name)?.error, { timeout: PATIENCE_MS, message: name }).toContain(error)
    }
    const outcomes = database.prepare('select outcome from keepsend_attempts where endpoint_id = ?')
    await expect.poll(() => outcomes.all(ids['well']), { timeout: PATIENCE_MS }).toEqual([{ outcome: 'delivered' }])

    // An unreadable row, as an example of texts that a parser might quote.
    set('headers', `${CANARY.header} is no JSON`, ids['badHeaders'])
    expect((await call('POST', `/endpoints/${ids['badHeaders']}/test`)).status).toBe(202)
    database
      .prepare(`update pending_events set status = 'pending', due_at = 1, completed_at = null where endpoint_id = ?`)
      .run(ids['badHeaders'])
    await expect.poll(() => errorOf('badHeaders')?.error, { timeout: PATIENCE_MS }).toContain('internal_error')
    await logged('cannot be read')

    // A worker that died on the last attempt: the next claim marks the row failed, with the receiver's response.
    const fail = database.prepare(
      `update pending_events set status = 'pending', attempts = max_attempts, claimed_at = 1, due_at = 1, completed_at = null, crashes = 9, last_error = ? where endpoint_id = ?`,
    )
    fail.run(`HTTP 500: ${CANARY.response}`, ids['refusing'])
    await logged('delivery failed: its attempts are exhausted')

    // The storage: locked by another process, then without a table.
    database.exec('begin immediate')
    expect((await call('POST', '/events', event)).status).toBe(503)
    database.exec('rollback')
    database.exec('alter table pending_events rename to away')
    expect((await call('POST', '/events', event)).status).toBe(500)
    await logged('database error; retrying')
    expect((await call('GET', '/health')).status).toBe(503)
    await logged('the database does not answer')
    database.exec('alter table away rename to pending_events')
    await expect.poll(async () => (await call('GET', '/health')).status, { timeout: PATIENCE_MS }).toBe(200)
    await stop()

    const lines = output.out.trimEnd().split('\n')
    expect(lines.length).toBeGreaterThan(5)
    for (const line of lines) {
      expect(JSON.parse(line) as Line).toMatchObject({ level: expect.any(String), message: expect.any(String) })
      // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
      expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f]|https?:\/\/[^\s"]*\//)
    }
    const messages = lines.map((line) => (JSON.parse(line) as Line).message)
    expect(messages).toEqual(
      expect.arrayContaining([
        'a request failed',
        'delivery attempt failed unexpectedly; it counts as a failed attempt',
      ]),
    )
    expect(output.err).toBe('')
    const all = output.out + output.err
    for (const [what, planted] of Object.entries({ ...CANARY, key: key.slice(3) })) {
      expect(all.includes(planted), `${what} (${planted}) is in the output`).toBe(false)
    }
    expect(all).not.toMatch(/canary/i)
  },
)
