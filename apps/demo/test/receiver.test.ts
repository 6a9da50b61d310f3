import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { newEventId, newSecret } from '@keepsend/engine'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it } from 'vitest'
import { createReceiver } from '../src/receiver.ts'

const secret = newSecret()
const post = (body: unknown): RequestInit => ({ method: 'POST', body: JSON.stringify(body) })

/** A request of a sender that knows the secret. */
function webhook({ id = newEventId(), signWith = secret, body = '{"type":"message.posted"}' } = {}): RequestInit {
  const at = new Date()
  const headers = {
    'webhook-id': id,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(signWith).sign(id, at, body),
  }
  return { method: 'POST', headers, body }
}

async function openReceiver(options: { file?: string } = {}) {
  const died: true[] = []
  const app = createReceiver({ ...options, die: () => void died.push(true) })
  await app.request('/control', post({ hook: 'h', secret }))
  return {
    died,
    control: async (behaviour: object) => (await app.request('/control', post({ hook: 'h', behaviour }))).status,
    send: async (request: RequestInit) => app.request('/hooks/h', request),
    held: async () => ((await (await app.request('/control')).json()) as { h: { held: number } }).h.held,
    arrived: async () => (await app.request('/arrivals')).json(),
    app,
  }
}

describe('the receiver', () => {
  it('accepts webhooks signed with the secret, and counts copies by webhook-id', async () => {
    const { send, arrived, app } = await openReceiver()
    const id = newEventId()
    const statuses = [await send(webhook({ id })), await send(webhook({ id })), await send(webhook())].map(
      ({ status }) => status,
    )
    expect(statuses).toEqual([204, 204, 204])
    expect(await arrived()).toEqual({ h: { verified: 2, duplicated: 1, unverified: 0 } })
    expect(await (await app.request('/arrivals/h')).json()).toMatchObject({
      [id]: { type: 'message.posted', count: 2 },
    })
  })

  it('refuses another secret’s signature, a changed body, a missing header and an unknown hook, and counts them', async () => {
    const { send, arrived, app } = await openReceiver()
    const bad = [webhook({ signWith: newSecret() }), { ...webhook(), body: '{"type":"other"}' }, post({ type: 'x' })]
    for (const request of bad) expect((await send(request)).status).toBe(401)
    expect((await app.request('/hooks/unknown', webhook())).status).toBe(401)
    expect(await arrived()).toEqual({
      h: { verified: 0, duplicated: 0, unverified: 3 },
      unknown: { verified: 0, duplicated: 0, unverified: 1 },
    })
  })

  it('fails the given number of times, with the given status and Retry-After', async () => {
    const { send, control, arrived } = await openReceiver()
    await control({ kind: 'fail', status: 429, times: 2, retryAfter: 7 })
    const answers = [await send(webhook()), await send(webhook()), await send(webhook())]
    expect(answers.map(({ status, headers }) => [status, headers.get('retry-after')])).toEqual([
      [429, '7'],
      [429, '7'],
      [204, null],
    ])
    await control({ kind: 'fail', status: 410 })
    expect((await send(webhook())).status).toBe(410)
    expect(await arrived()).toEqual({ h: { verified: 1, duplicated: 0, unverified: 0 } })
  })

  it('stalls until its behaviour changes, and reports how many requests it stalls', async () => {
    const { send, control, held } = await openReceiver()
    await control({ kind: 'stall' })
    const answers = [send(webhook()), send(webhook())]
    await expect.poll(held).toBe(2)
    await control({ kind: 'ok' })
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([204, 204])
    expect(await held()).toBe(0)
  })

  it('dies at the next request, and does not count it', async () => {
    const { send, control, arrived, died } = await openReceiver()
    await control({ kind: 'die' })
    await send(webhook())
    expect(died).toEqual([true])
    expect(await arrived()).toEqual({})
  })

  it('refuses an unknown behaviour', async () => {
    const { control } = await openReceiver()
    expect(await control({ kind: 'dance' })).toBe(400)
    expect(await control({ kind: 'fail', status: 200 })).toBe(400)
  })

  it('restores arrivals from its file, without a line that a crash has cut', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keepsend-receiver-'))
    const file = join(folder, 'arrivals.jsonl')
    const before = await openReceiver({ file })
    const id = newEventId()
    await before.send(webhook({ id }))
    await before.send(webhook())
    writeFileSync(file, `${readFileSync(file, 'utf8')}{"hook":"h","id":"ev`)
    const after = await openReceiver({ file })
    expect(await after.arrived()).toEqual({ h: { verified: 2, duplicated: 0, unverified: 0 } })
    await after.send(webhook({ id }))
    expect(await after.arrived()).toEqual({ h: { verified: 2, duplicated: 1, unverified: 0 } })
    rmSync(folder, { recursive: true })
  })
})
