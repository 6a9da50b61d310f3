import { claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it, vi } from 'vitest'
import { type Logger, consoleLogger, createEngine, silentLogger } from '../src/index.ts'
import { type Answer, LATER, TEST_KEYS, rig } from './rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: { text: 'CANARY' } }

/** One endpoint, whose answer a test can change, and the lines since the last read. */
async function one(options: Parameters<typeof rig>[0] = {}) {
  let answer: Answer = 200
  const made = await rig({ answer: () => answer, retrySchedule: [5], ...options })
  const { id } = await made.addEndpoint({ url: 'https://hooks.example.com/TOKEN?key=TOKEN' })
  return {
    ...made,
    id,
    answers: (next: Answer) => void (answer = next),
    publish: async (count: number) => {
      for (let n = 0; n < count; n++) await made.engine.publish(event)
    },
    lines: () => made.log.entries.splice(0),
    ageBy: (ms: number) =>
      made.exec(
        `update keepsend_endpoints set resume_at = resume_at - ${ms}, failing_since = failing_since - ${ms},
           paused_until = paused_until - ${ms}, pause_requested_at = pause_requested_at - ${ms}`,
      ),
  }
}

describe('an attempt', () => {
  it('that succeeds has no line', async () => {
    const made = await one()
    await made.publish(3)
    await made.work()
    expect([made.sender.requests.length, made.lines()]).toEqual([3, []])
  })

  it('that fails is logged with its ids, its error and the time to the next; the last one says that it was the last', async () => {
    const made = await one()
    made.answers({ status: 500, body: 'CANARY of the receiver' })
    await made.publish(1)
    await made.work()
    const [row] = await made.rows()
    const ids = { deliveryId: row?.id, endpointId: made.id, workspaceId: 'w1', type: 'message.created' }
    const failed = { ...ids, errorClass: 'http_5xx', httpStatus: 500, maxAttempts: 2 }
    expect(made.lines()).toEqual([
      {
        level: 'warn',
        message: 'attempt failed; the delivery will be retried',
        fields: { ...failed, attempt: 1, nextTryInMs: 5000 },
      },
    ])
    made.answers({ kind: 'error', reason: 'tls', message: 'CERT_HAS_EXPIRED its certificate has expired: renew it' })
    await made.work({ now: LATER })
    expect(made.lines()).toMatchObject([
      {
        level: 'warn',
        message: 'attempt failed; the delivery is marked failed',
        fields: { ...ids, errorClass: 'tls', error: expect.stringMatching(/^tls: CERT_HAS/), attempt: 2 },
      },
    ])
  })

  it('is logged without text of the receiver, the payload or the URL, whatever its outcome', async () => {
    for (const status of [302, 404, 410, 429, 500]) {
      const made = await one()
      made.answers({ status, body: 'CANARY', headers: { location: 'https://TOKEN.example.com/' } })
      await made.publish(1)
      await made.work()
      const lines = made.lines()
      expect(lines.length, String(status)).toBeGreaterThan(0)
      expect(JSON.stringify(lines)).not.toMatch(/CANARY|TOKEN/)
    }
  })

  it('at a receiver that always fails is logged a few times, and then counted', async () => {
    let now = 0
    const made = await one({ monotonic: () => now, circuit: { failuresInRow: 10_000, minAttempts: 10_000 } })
    made.answers(500)
    await made.publish(30)
    await made.work()
    expect(made.lines().length).toBe(5)
    now = 10_000
    await made.publish(1)
    await made.work()
    expect(made.lines()).toMatchObject([
      { level: 'warn', message: '… and 25 more in 10 s: attempt failed; the delivery will be retried' },
      { message: 'attempt failed; the delivery will be retried' },
    ])
  })
})

describe('an endpoint', () => {
  const changes = (lines: { message: string }[]) =>
    lines.filter(({ message }) => !/attempt|wants no more/.test(message))

  it('is logged once when its circuit opens and once when it closes', async () => {
    const made = await one({ circuit: { failuresInRow: 3 } })
    made.answers(500)
    await made.publish(4)
    await made.work({ limit: 2 })
    expect(changes(made.lines())).toEqual([])
    await made.work({ limit: 1 })
    const opened = { level: 'warn', message: expect.stringMatching(/^circuit opened/) }
    expect(changes(made.lines())).toMatchObject([{ ...opened, fields: { endpointId: made.id, probeInMs: 60_000 } }])
    await made.work()
    await made.ageBy(60_000)
    await made.engine.worker.resumeHeld()
    made.answers(200)
    await made.work()
    const closed = { level: 'info', message: expect.stringMatching(/^circuit closed/) }
    expect(changes(made.lines())).toMatchObject([{ ...closed, fields: { endpointId: made.id } }])
  })

  it('is not logged for a change that did not take place because the settle was lost', async () => {
    const made = await one({ circuit: { failuresInRow: 1 } })
    made.answers(500)
    await made.publish(1)
    const claim = (await claimDueEvents(made.db, { limit: 1 })).claims[0]
    if (!claim) throw new Error('nothing was claimed')
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    await claimDueEvents(made.db, { limit: 1, now: LATER })
    expect(await made.engine.worker.settleEach([{ claim, outcome }])).toMatchObject({ results: [{ settle: 'lost' }] })
    expect(made.lines().map(({ message }) => message)).toEqual([
      'attempt failed; the delivery will be retried',
      'settle rejected: lease lost, another worker owns the delivery',
    ])
  })

  it.each([
    [410, {}, 'gone'],
    [200, { 'webhook-delivery': 'disable' }, 'receiver_requested'],
  ])('that is disabled by the answer %d %j is logged with the reason %s', async (status, headers, reason) => {
    const made = await one()
    made.answers({ status, headers })
    await made.publish(1)
    await made.work()
    expect(changes(made.lines())).toMatchObject([
      { level: 'warn', message: expect.stringMatching(/^endpoint disabled/), fields: { endpointId: made.id, reason } },
    ])
  })

  it('that fails for five days is logged with warnings, and then as disabled', async () => {
    const made = await one({ circuit: { failuresInRow: 1 } })
    made.answers(500)
    await made.publish(3)
    await made.work({ limit: 1 })
    await made.work()
    made.lines()
    for (const [ageMs, fields] of [
      [3 * 86_400_000, { percent: 50 }],
      [3 * 86_400_000, { reason: 'failing' }],
    ] as const) {
      await made.ageBy(ageMs)
      await made.engine.worker.resumeHeld()
      await made.work()
      expect(changes(made.lines())).toMatchObject([{ level: 'warn', fields: { endpointId: made.id, ...fields } }])
    }
  })

  it('that its receiver pauses is logged, and again when the pause has ended', async () => {
    const made = await one()
    made.answers({ status: 429, headers: { 'retry-after': '60' } })
    await made.publish(1)
    await made.work()
    expect(made.lines()).toMatchObject([
      {
        message: 'receiver asked for a pause; holding the delivery, the attempt does not count',
        fields: { errorClass: 'http_4xx', httpStatus: 429, pauseMs: 60_000, attempt: 1, maxAttempts: 2 },
      },
      { level: 'warn', message: expect.stringMatching(/^endpoint paused/), fields: { endpointId: made.id } },
    ])
    await made.ageBy(60_000)
    await made.engine.worker.resumeHeld()
    await made.engine.worker.resumeHeld()
    expect(made.lines()).toMatchObject([
      { level: 'info', message: 'endpoint resumed: its pause has ended', fields: { endpointId: made.id } },
    ])
  })
})

describe('maintenance', () => {
  it('logs the rows that it found of deleted endpoints', async () => {
    const made = await one()
    await made.engine.endpoints.setStatus('w1', made.id, 'disabled')
    await made.publish(2)
    await made.exec('delete from keepsend_endpoints')
    await made.engine.worker.maintain()
    expect(made.lines()).toMatchObject([{ level: 'warn', fields: { deliveries: 2 } }])
  })
})

describe('debug', () => {
  it('says why a delivery waits, if the logger has it', async () => {
    const debug: { fields: Record<string, unknown>; message: string }[] = []
    const logger: Logger = { ...silentLogger, debug: (fields, message) => void debug.push({ fields, message }) }
    const made = await one({ logger })
    await made.engine.endpoints.update('w1', made.id, { rateLimit: 1, ratePeriod: 'hour' })
    await made.publish(2)
    const { claims } = await claimDueEvents(made.db, { limit: 2 })
    await made.engine.worker.admit(claims)
    const [first] = claims
    if (first) await made.engine.worker.deliver(first, first.claimedAt)
    expect(debug).toMatchObject([
      { message: 'rate limited; the delivery waits for its slot time', fields: { endpointId: made.id } },
      { message: 'delivery held', fields: { endpointId: made.id, reason: 'rate_limited' } },
    ])
  })
})

describe('the default logger', () => {
  const written = () => ({
    warn: vi.spyOn(console, 'warn').mockImplementation(() => {}),
    error: vi.spyOn(console, 'error').mockImplementation(() => {}),
  })

  it('writes one line of text to the console; silentLogger writes none', async () => {
    const { warn, error } = written()
    // A copy of its own: the log of the other has a limit, which tests before this one may have reached.
    vi.resetModules()
    const { problemResponse } = await import('../src/index.ts')
    try {
      const { db } = await rig()
      const parts = { db, queue: { async send() {} }, secrets: 'plaintext-for-development' } as const
      createEngine({ ...parts, logger: silentLogger })
      expect(warn.mock.calls).toEqual([])
      createEngine(parts)
      createEngine({ ...parts, logger: undefined })
      const line = expect.stringMatching(
        /^\d{4}-\d\d-\d\dT[\d:.]+Z keepsend warn: signing secrets are stored in plaintext/,
      )
      expect(warn.mock.calls).toEqual([[line], [line]])
      problemResponse(new Error('disk\nfull'))
      expect(error.mock.calls).toEqual([
        [expect.stringMatching(/Z keepsend error: a request failed \(error="disk\\\\u000afull", errorName=Error\)$/)],
      ])
      expect(createEngine({ ...parts, secrets: TEST_KEYS }).logger).not.toHaveProperty('debug')
    } finally {
      vi.restoreAllMocks()
    }
  })

  it('writes info to stderr too: stdout is the host’s', () => {
    const { warn } = written()
    try {
      consoleLogger.info({ endpointId: 'ep_1', percent: 50, none: undefined }, 'well again')
      expect(warn.mock.calls).toEqual([
        [expect.stringMatching(/ keepsend info: well again \(endpointId=ep_1, percent=50\)$/)],
      ])
    } finally {
      vi.restoreAllMocks()
    }
  })
})
