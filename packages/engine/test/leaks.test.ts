import { OutboxError } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import type { SecretEncryption } from '../src/index.ts'
import { openDatabase } from './database.ts'
import { apps } from './idempotency-rig.ts'
import { TEST_KEYS, rig } from './rig.ts'
import { GOOD_BODIES, api, documentOf, read, routesOf } from './routes.ts'

const INSIDES = 'arn:aws:kms:eu-central-1:4711:key/9f is disabled'

const kmsDown: SecretEncryption = {
  ...TEST_KEYS,
  unwrap: () => Promise.reject(new Error(INSIDES)),
}

describe('a 5xx', () => {
  it('of a KMS that fails at the pepper shows a fixed text, and the log has the cause', async () => {
    const on = await openDatabase()
    const { keys } = await api({ on })
    const { engine, log } = await rig({ on, secrets: kmsDown })
    const answer = await engine.routes.request('/events', { headers: { authorization: `Bearer ${keys.w1}` } })
    expect(await read(answer)).toMatchObject({
      status: 500,
      body: { code: 'secret_unreadable', detail: 'a secret could not be decrypted; see the server log' },
    })
    expect(log.entries).toMatchObject([{ level: 'error', fields: { error: expect.stringContaining(INSIDES) } }])
  })

  it.each([
    ['not_accepted', 503, 'nothing was committed: repeat the request', 'warn'],
    ['commit_unconfirmed', 500, 'the write may have taken place: check before you repeat the request', 'error'],
  ] as const)(
    'of a database that answers %s shows none of its words, on our routes and the host’s',
    async (code, ...is) => {
      const [status, detail, level] = is
      let refuses = false
      const { post, log } = await apps({
        wrap: (db) => ({
          ...db,
          atomic: (list) => (refuses ? Promise.reject(new OutboxError(code, INSIDES)) : db.atomic(list)),
        }),
      })
      refuses = true
      for (const [path, body] of [
        ['/webhooks/events', '{"type":"a.b","data":{}}'],
        ['/rooms/w1/general', '{}'],
      ] as const) {
        log.entries.length = 0
        expect(await read(post(path, body)), path).toMatchObject({ status, body: { code, detail } })
        expect(log.entries, path).toMatchObject([{ level, fields: { error: expect.stringContaining(INSIDES) } }])
      }
    },
  )

  it('of a misconfigured server says no more than that', async () => {
    const { call, log } = await api({ authenticate: async () => ({ workspaceId: '', scopes: [] }) })
    expect(await read(call('GET', '/events'))).toMatchObject({
      status: 500,
      body: { code: 'invalid_option', detail: 'the server is misconfigured; see the server log' },
    })
    expect(log.entries).toMatchObject([{ level: 'error', fields: { error: expect.stringContaining('workspaceId') } }])
  })
})

describe('an unexpected error in an attempt', () => {
  it('is logged, and not shown in the delivery, which customers read', async () => {
    const sender = { send: () => Promise.reject(new Error(INSIDES)) }
    const { engine, addEndpoint, work, rows, log } = await rig({ sender })
    await addEndpoint()
    await engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    await work()
    expect(await rows()).toMatchObject([
      { lastError: 'internal_error: the sender failed unexpectedly; its log has the cause' },
    ])
    expect(log.entries).toMatchObject([{ fields: { error: INSIDES } }])
  })
})

describe('every answer of the API', () => {
  it('is cached by nobody and has a fixed type, refused or not', async () => {
    const { call, engine, addEndpoint } = await api()
    const { id } = await addEndpoint()
    const asked = [
      ...routesOf(await documentOf({ engine })),
      { method: 'GET', path: '/openapi.json' },
      { method: 'GET', path: '/none' },
    ]
    for (const { method, path } of asked) {
      for (const key of [undefined, null]) {
        const answer = await call(method, path.replace(/\{u?id\}/, id), GOOD_BODIES[`${method} ${path}`], key)
        const { headers } = answer
        expect([headers.get('cache-control'), headers.get('x-content-type-options')], `${method} ${path}`).toEqual([
          // It contains no data of a workspace, and has an ETag.
          path === '/openapi.json' ? 'no-cache' : 'no-store',
          'nosniff',
        ])
      }
    }
  })
})
