import { openSqlite } from '@keepsend/adapter-node'
import { createKeyRing } from '@keepsend/engine'
import { describe, expect, it } from 'vitest'
import { everyOption, everyWrongValue, optionsWith, optionsWithout } from '../../../test/options.ts'
import { type TestEngineOptions, createTestEngine } from '../src/index.ts'
import { openEngine } from './open-engine.ts'
import { OPTION_NAMES } from './option-names.ts'

type Owner = keyof typeof OPTION_NAMES

/** The result of each function with these options; each refuses a value of a wrong type. */
const CALLS: Record<Owner, (options: object) => unknown> = {
  createTestEngine: async (options) => {
    const engine = await openEngine(options)
    return [engine.limits, engine.maxAgeMs, engine.worker.maxDeadlineMs, engine.searchPaths, await engine.stats()]
  },
  deliverAll: async (options) => (await openEngine()).deliverAll(options),
  published: async (options) => (await openEngine()).published(options),
  'receiver.answer': async (options) => (await openEngine()).receiver.answer(200, options),
  'an answer': async (options) => (await openEngine()).receiver.answer(options),
}

describe('options', () => {
  it.each(everyOption(OPTION_NAMES, {}))(
    '$path of $owner given as undefined is its default',
    async ({ owner, path }) => {
      expect(await CALLS[owner](optionsWith(path, undefined))).toEqual(await CALLS[owner](optionsWithout(path)))
    },
  )

  it('a value of a wrong type is refused with the name of its option', async () => {
    const wrong = everyWrongValue(OPTION_NAMES)
    expect(wrong.length).toBeGreaterThan(200)
    for (const { owner, path, value } of wrong) {
      const call = (async () => CALLS[owner](optionsWith(path, value)))()
      await expect(call, `${path} of ${owner} as ${typeof value}`).rejects.toMatchObject({
        name: 'TestingError',
        code: 'invalid_option',
        message: expect.stringMatching(new RegExp(`^${path.replaceAll('.', '\\.')} must be .*; found `)),
      })
    }
  })

  it.each(Object.keys(CALLS) as Owner[])('an unknown option of %s is refused by name', async (owner) => {
    await expect((async () => CALLS[owner]({ colour: 1 }))()).rejects.toMatchObject({
      name: 'TestingError',
      message: expect.stringContaining(`${owner} has no option colour`),
    })
  })

  it.each([
    [{ db: null }, 'db must be a database; found object'],
    [{ db: 'app.db' }, 'db must be a database; found string'],
    [{ driver: 'sqlite3' }, 'driver must be better-sqlite3 or node:sqlite; found sqlite3'],
    [{ history: false }, 'history must record events'],
    [{ history: { events: false } }, 'history must record events'],
    [{ retrySchedule: [-1] }, 'retrySchedule must hold'],
    [{ sender: {} }, 'createTestEngine has no option sender'],
    [{ queue: {} }, 'createTestEngine has no option queue'],
  ])('createTestEngine refuses %o', async (options, message) => {
    await expect(createTestEngine(options as TestEngineOptions)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(message),
    })
  })

  it('driver beside db is refused', async () => {
    const { db } = await openEngine()
    await expect(createTestEngine({ db, driver: 'node:sqlite' })).rejects.toThrow('leave one of them out')
  })

  it.each([[600], [100], [200.5], ['sleep'], [{ status: 1 }], [[]], [null], [true]])(
    'the receiver refuses the answer %o',
    async (answer) => {
      const { receiver } = await openEngine()
      expect(() => receiver.answer(answer as number)).toThrow(expect.objectContaining({ code: 'invalid_option' }))
    },
  )

  it.each([{ maxAttempts: 0 }, { maxAttempts: 1.5 }, { forMs: -1 }, { forMs: Number.NaN }])(
    'deliverAll refuses %o',
    async (options) => {
      await expect((await openEngine()).deliverAll(options)).rejects.toMatchObject({ code: 'invalid_option' })
    },
  )
})

it('a database without tables of Keepsend is refused as not migrated', async () => {
  const db = openSqlite(':memory:')
  await expect(createTestEngine({ db })).rejects.toMatchObject({ code: 'not_migrated' })
  db.close()
})

it('options of the engine are its own: secrets, randomness, notifications, history', async () => {
  const logged: string[] = []
  const logger = { info() {}, warn: (_: object, message: string) => void logged.push(message), error() {} }
  const engine = await openEngine({
    driver: 'node:sqlite',
    secrets: createKeyRing([{ id: 'own', key: Buffer.alloc(32, 1).toString('base64') }]),
    random: () => 1,
    retrySchedule: [10],
    operatorWorkspaceId: 'op',
    history: { search: ['data.id'] },
    logger,
  })
  await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
  engine.receiver.answer(500)
  await engine.publish({ type: 'a', workspaceId: 'w1', data: { id: 'x' } })
  expect(await engine.deliverAll()).toMatchObject({ attempts: 2, failed: 1, elapsedMs: 11_000 })
  const search = { path: 'data.id', value: 'x' }
  expect((await engine.events.list('w1', { limit: 1, search })).rows).toHaveLength(1)
  expect(await engine.published()).toMatchObject([{ type: 'a' }, { type: 'keepsend.delivery.failed' }])
  expect(logged).not.toEqual([])
  expect(engine.lines.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual(logged)
})

it('secrets are encrypted, and nothing is logged about a development mode', async () => {
  const engine = await openEngine()
  const { secret } = await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
  const { rows } = await engine.db.run<{ secret: string }>({ sql: 'select secret from keepsend_secrets', params: [] })
  expect(rows.map((row) => row.secret.includes(secret.slice('whsec_'.length)))).toEqual([false])
  expect(engine.lines.map(({ message }) => message)).toEqual(['action recorded: endpoint.create'])
})

it('await using closes the database in memory, and leaves one open that was given', async () => {
  const outer = await openEngine()
  {
    await using inner = await createTestEngine({ db: outer.db })
    await inner.publish({ type: 'a', workspaceId: 'w1', data: {} })
  }
  expect(await outer.published()).toHaveLength(1)
  const closed = await createTestEngine()
  await closed.close()
  await closed.close()
  await expect(closed.published()).rejects.toThrow('not open')
})
