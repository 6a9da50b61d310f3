import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type Engine, createEngine, migrateEngine } from '@keepsend/engine'
import { fromD1 } from '@keepsend/outbox/d1'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { everyOption, everyWrongValue, optionsWith, optionsWithout } from '../../../../test/options.ts'
import {
  CloudflareEventQueue,
  type CreateWorkerOptions,
  InlineEventQueue,
  type WorkerBindings,
  createFetchSender,
  createQueuePolicy,
  createWorker,
} from '../../src/index.ts'
import { OPTION_NAMES } from './option-names.ts'
import { TEST_KEYS } from './keys.ts'
import type { Env } from './worker.ts'

type Owner = keyof typeof OPTION_NAMES

beforeAll(() => migrateEngine(fromD1(env.DB)))

const REQUIRED = {
  createWorker: { bindings: true },
  'bindings(env)': { db: true, queue: true, secrets: true },
  CloudflareEventQueue: { queue: true },
}

const CALLS: Record<Owner, (options: object) => unknown> = {
  createWorker: (options) => serve(options, {}),
  'bindings(env)': async (found) => [await serve({}, found), await serve({}, { queue: 'inline', ...found })],
  createQueuePolicy: (options) => {
    const { engine: _engine, queue: _queue, ...policy } = createQueuePolicy(parts(), options)
    return policy
  },
  CloudflareEventQueue: (options) => void new CloudflareEventQueue({ queue: env.WEBHOOKS, ...options }),
  InlineEventQueue: (options) => void new InlineEventQueue(options),
}

function parts(): { engine: Engine; queue: CloudflareEventQueue } {
  const queue = new CloudflareEventQueue({ queue: env.WEBHOOKS })
  return {
    queue,
    engine: createEngine({ db: fromD1(env.DB), queue, secrets: TEST_KEYS, sender: createFetchSender() }),
  }
}

/** The effects of a Worker's options: its engine, and the warning about readable secrets. */
async function serve(options: Partial<CreateWorkerOptions<Env>>, found: Partial<WorkerBindings>): Promise<unknown> {
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const engines: Engine[] = []
  const worker = createWorker({
    bindings: (given: Env) => ({
      db: given.DB,
      queue: given.WEBHOOKS,
      secrets: 'plaintext-for-development',
      ...found,
    }),
    app: ({ engine }) => {
      engines.push(engine)
      return engine.routes
    },
    ...options,
  })
  const context = createExecutionContext()
  const paths = ['/health', '/webhooks/health']
  const answers = paths.map((path) => worker.fetch(new Request(`http://app${path}`), env, context))
  const status = (await Promise.all(answers)).map((answer) => answer.status)
  await waitOnExecutionContext(context)
  const warnings = warn.mock.calls.length
  warn.mockRestore()
  return {
    status,
    warnings,
    deadlines: engines.map((engine) => [engine.worker.maxDeadlineMs, engine.worker.canDeliver]),
  }
}

const tried = everyOption(OPTION_NAMES, REQUIRED).filter(
  // The result of `bindings` is tested separately, and the app exposes the engine.
  ({ owner, path }) => owner !== 'createWorker' || !/^(bindings\.|app$)/.test(path),
)

describe('options', () => {
  it.each(tried)('every option given as undefined is its default: $path of $owner', async ({ owner, path }) => {
    expect(await CALLS[owner](optionsWith(path, undefined))).toEqual(await CALLS[owner](optionsWithout(path)))
  })

  it('an app given as undefined is the routes under /webhooks', async () => {
    expect(await serve({ app: undefined }, {})).toMatchObject({ status: [404, 200] })
  })

  it('a value of a wrong type is refused with the name of its option', async () => {
    const wrong = everyWrongValue(OPTION_NAMES)
    expect(wrong.length).toBeGreaterThan(200)
    for (const { owner, path, value } of wrong) {
      const call = (async () => CALLS[owner](optionsWith(path, value)))()
      await expect(call, `${path} of ${owner} as ${typeof value}`).rejects.toMatchObject({
        name: 'CloudflareAdapterError',
        code: 'invalid_option',
        message: expect.stringMatching(new RegExp(`^${path.replaceAll('.', '\\.')} must be .*; found `)),
      })
    }
  })

  it.each(Object.keys(CALLS) as Owner[])('an unknown option is refused by name: %s', async (owner) => {
    await expect((async () => CALLS[owner]({ colour: 1 }))()).rejects.toMatchObject({
      name: 'CloudflareAdapterError',
      code: 'invalid_option',
      message: expect.stringContaining(`${owner} has no option colour`),
    })
  })

  it.each([
    [{ ownHostname: [] }, {}, 'createWorker has no option ownHostname; did you mean ownHostnames?'],
    [{ secrets: TEST_KEYS }, {}, 'createWorker has no option secrets: it belongs in bindings: { secrets }'],
    [{ urlPolicy: {} }, {}, 'createWorker has no option urlPolicy: it belongs in bindings: { engine: { urlPolicy } }'],
    [{}, { urlPolicy: {} }, 'bindings(env) has no option urlPolicy: it belongs in engine: { urlPolicy }'],
    [{}, { engine: { secrets: 1 } }, 'bindings(env) has no option engine.secrets: it belongs beside engine'],
    [{}, { engine: { circuit: { openms: 1 } } }, 'did you mean engine.circuit.openMs?'],
  ])(
    'a Worker with a misplaced option throws an error that says where it belongs: %j, bindings %j',
    async (options, found, message) => {
      await expect(
        serve(options as Partial<CreateWorkerOptions<Env>>, found as Partial<WorkerBindings>),
      ).rejects.toThrow(message)
    },
  )

  it('the types allow no unknown name in the result of bindings', () => {
    const { DB: db, WEBHOOKS: queue } = env
    const secrets = TEST_KEYS
    const make = () => [
      createWorker({ bindings: () => ({ db, queue, secrets }) }),
      createWorker({
        bindings: (given: Env) => ({ db: given.DB, queue: 'inline', secrets, engine: { logger: undefined } }),
      }),
      createWorker<Env>({ bindings: (given) => ({ db: given.DB, queue, secrets }) }),
      // @ts-expect-error -- `urlPolicy` belongs in `engine`
      createWorker({ bindings: () => ({ db, queue, secrets, urlPolicy: {} }) }),
      // @ts-expect-error -- the same of an environment
      createWorker({ bindings: (given: Env) => ({ db: given.DB, queue, secrets, urlPolicy: {} }) }),
      // @ts-expect-error -- a name misspelt
      createWorker({ bindings: () => ({ db, queue, secrets, engin: {} }) }),
      // @ts-expect-error -- and one inside the engine's
      createWorker({ bindings: () => ({ db, queue, secrets, engine: { logger: undefined, urlPolcy: {} } }) }),
    ]
    expect(make).not.toThrow()
  })
})

describe('an engine without a sender', () => {
  const unsent = () => {
    const queue = new CloudflareEventQueue({ queue: env.WEBHOOKS })
    return { queue, engine: createEngine({ db: fromD1(env.DB), queue, secrets: TEST_KEYS }) }
  }
  const refused = expect.objectContaining({
    code: 'invalid_option',
    message: expect.stringMatching(/the engine has no sender.*createFetchSender\(\)/),
  })

  it('is refused by createQueuePolicy', () => {
    expect(unsent().engine.worker.canDeliver).toBe(false)
    expect(() => createQueuePolicy(unsent())).toThrow(refused)
  })

  it('is refused by InlineEventQueue', () => {
    const { engine } = unsent()
    const inline = new InlineEventQueue()
    expect(() => inline.start(engine)).toThrow(refused)
    expect(() => inline.start(parts().engine)).not.toThrow(refused)
  })
})
