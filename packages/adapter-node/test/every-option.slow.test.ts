import { existsSync } from 'node:fs'
import { createEngine, newSecret } from '@keepsend/engine'
import type { Pool } from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { everyOption, everyWrongValue, optionsWith, optionsWithout } from '../../../test/options.ts'
import {
  DurableEventQueue,
  type NodeServerOptions,
  createNodeServer,
  createNodeSigner,
  createUndiciSender,
  migrate,
  openPostgres,
  openSqlite,
} from '../src/index.ts'
import { OPTION_NAMES } from './option-names.ts'
import { TEST_KEYS } from './keys.ts'
import { startReceiver } from './receiver.ts'
import { LOOPBACK, rig, temporaryFile } from './rig.ts'

type Owner = keyof typeof OPTION_NAMES

const secret = newSecret()

const REQUIRED = {
  DurableEventQueue: { db: true },
  // The default port 3000 may be in use. The options of a policy are tested with the sender and the engine.
  createNodeServer: { file: true, secrets: true, port: true, 'engine.urlPolicy': true },
  openPostgres: { url: true },
  createUndiciSender: { urlPolicy: true },
}

/** Observable effects of each function's options. Each refuses NaN. */
const CALLS: Record<Owner, (options: object) => unknown> = {
  DurableEventQueue: async (options) => {
    const queue = new DurableEventQueue({ db: openMemory(), ...options })
    const { engine } = await rig()
    await queue.start(engine)
    await queue.stop()
  },
  'queue.stop': async (options) => {
    const { queue, engine } = await rig()
    await queue.start(engine)
    await queue.stop(options)
  },
  createNodeServer: async (options) => {
    const server = await startServer(options)
    const { maxDeadlineMs } = server.engine.worker
    const synchronous: unknown = server.db.connection.pragma('synchronous', { simple: true })
    const receiver = await startReceiver()
    await server.engine.endpoints.create('w', { url: receiver.url, secret })
    await server.engine.publish({ type: 'a.b', workspaceId: 'w', data: {} })
    await receiver.arrived(1)
    await server.stop({ drainMs: undefined })
    receiver.verifyAll(secret)
    return { maxDeadlineMs, synchronous, host: new URL(server.url).hostname }
  },
  'server.stop': async (options) => (await startServer({})).stop(options),
  createNodeSigner: (options) => createNodeSigner(options)(secret, 'content'),
  createUndiciSender: async (options) => {
    const { url } = await startReceiver()
    const sender = createUndiciSender({ urlPolicy: LOOPBACK, ...options })
    const result = await sender.send({ url, headers: {}, body: '{}', deadlineMs: 5000, maxResponseBytes: 100 })
    await sender.close()
    return { kind: result.kind, urlPolicy: sender.urlPolicy }
  },
  migrate: (options) => migrate(openMemory(), options),
  openPostgres: async (options) => {
    // Connects at the first statement, and there is none.
    const db = await openPostgres<Pool>({ url: 'postgres://127.0.0.1:1/none', ...options })
    await db.close()
    return { ...db.pool.options }
  },
  openSqlite: (options) => {
    const db = openSqlite(temporaryFile(), options)
    const shown = ['synchronous', 'busy_timeout'].map((name): unknown => db.connection.pragma(name, { simple: true }))
    db.close()
    return shown
  },
}

function openMemory() {
  const db = openSqlite(':memory:')
  onTestFinished(() => db.close())
  return db
}

function startServer(options: Partial<NodeServerOptions>) {
  return createNodeServer({
    file: temporaryFile(),
    port: 0,
    secrets: TEST_KEYS,
    ...options,
    // These accept any kind of value.
    ...((options.engine === undefined || options.engine?.constructor === Object) && {
      engine: { urlPolicy: LOOPBACK, ...options.engine },
    }),
  })
}

const tried = everyOption(OPTION_NAMES, REQUIRED).filter(
  // A server has one of two databases: the options of the other are tested with its own function.
  ({ owner, path }) => owner !== 'createNodeServer' || !/^(postgres|engine\.urlPolicy)\./.test(path),
)

describe('options', () => {
  it.each(tried)('every option given as undefined is its default: $path of $owner', async ({ owner, path }) => {
    expect(await CALLS[owner](optionsWith(path, undefined))).toEqual(await CALLS[owner](optionsWithout(path)))
  })

  it('a value of a wrong type is refused with the name of its option', async () => {
    const wrong = everyWrongValue(OPTION_NAMES)
    expect(wrong.length).toBeGreaterThan(200)
    for (const { owner, path, value } of wrong) {
      const call = (async () => CALLS[owner](optionsWith(path, value)))()
      await expect(call, `${path} of ${owner} as ${typeof value}`).rejects.toMatchObject({
        name: 'NodeAdapterError',
        code: 'invalid_option',
        message: expect.stringMatching(new RegExp(`^${path.replaceAll('.', '\\.')} must be .*; found `)),
      })
    }
  })

  it.each(Object.keys(CALLS) as Owner[])('an unknown option is refused by name: %s', async (owner) => {
    await expect((async () => CALLS[owner]({ colour: 1 }))()).rejects.toMatchObject({
      name: 'NodeAdapterError',
      code: 'invalid_option',
      message: expect.stringContaining(`${owner} has no option colour`),
    })
  })

  it.each([
    [{ urlPolicy: {} }, 'createNodeServer has no option urlPolicy: it belongs in engine: { urlPolicy }'],
    [{ concurrency: 4 }, 'createNodeServer has no option concurrency: it belongs in queue: { concurrency }'],
    [
      { connectTimeoutMs: 4 },
      'createNodeServer has no option connectTimeoutMs: it belongs in sender: { connectTimeoutMs } or postgres: { connectTimeoutMs }',
    ],
    [{ engine: { queue: 1 } }, 'createNodeServer has no option engine.queue: it belongs beside engine'],
    [{ engine: { circuit: { openms: 1 } } }, 'did you mean engine.circuit.openMs?'],
    [{ sqlite: { busyTimeout: 1 } }, 'did you mean sqlite.busyTimeoutMs?'],
  ])('a server with a misplaced option throws before its file is created: %j', async (options, message) => {
    const file = temporaryFile()
    const misplaced = { file, secrets: TEST_KEYS, ...options } as NodeServerOptions
    await expect(createNodeServer(misplaced)).rejects.toThrow(message)
    expect(existsSync(file)).toBe(false)
  })

  it('a queue does not start for an engine without a sender, and says what to do', async () => {
    const db = openMemory()
    const queue = new DurableEventQueue({ db })
    const engine = createEngine({ db, queue, secrets: TEST_KEYS })
    expect(engine.worker.canDeliver).toBe(false)
    await expect(queue.start(engine)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(/the engine has no sender.*createUndiciSender\(\)/),
    })
  })
})
