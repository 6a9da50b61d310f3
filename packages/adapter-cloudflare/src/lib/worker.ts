import {
  type Engine,
  type EngineOptions,
  type EventCatalog,
  type Logger,
  type UrlPolicy,
  createEngine,
  keepsend,
} from '@keepsend/engine'
import { ENGINE_OPTION_NAMES } from '@keepsend/engine/internal'
import { OR, type OptionNames, withDefaults } from '@keepsend/outbox/internal'
import { type D1Binding, fromD1 } from '@keepsend/outbox/d1'
import { Hono } from 'hono'
import type { ExecutionContextLike, QueueBatch, QueueBinding } from './bindings.ts'
import { consumeBatch } from './consumer.ts'
import { consumeDeadLetters } from './dead-letter.ts'
import { CloudflareAdapterError, checkNames } from './errors.ts'
import { InlineEventQueue } from './inline-queue.ts'
import { checkFlags } from './compatibility-flags.ts'
import { debugJsonConsoleLogger, jsonConsoleLogger } from './logger.ts'
import { CloudflareEventQueue } from './producer.ts'
import { QUEUE_POLICY_OPTIONS, type QueuePolicyOptions, createQueuePolicy } from './queue-policy.ts'
import { sweep } from './scheduled.ts'
import { createFetchSender } from './fetch-sender.ts'

// The Worker sets these four itself.
type WorkerPart = 'db' | 'queue' | 'secrets' | 'development'
const { db: _db, queue: _queue, secrets: _secrets, development: _development, ...engineOptions } = ENGINE_OPTION_NAMES
engineOptions satisfies OptionNames<Omit<EngineOptions, WorkerPart>>

/** The parts that an app is built from. */
export interface WorkerParts<Env, Catalog extends EventCatalog = EventCatalog> {
  engine: Engine<Catalog>
  env: Env
}

/** The bindings of a Worker's environment that Keepsend uses. */
export interface WorkerBindings {
  /** The D1 database that the app commits to. */
  db: D1Binding | undefined
  /** The producer, or `'inline'` to deliver without a queue, after the response and by the cron. */
  queue: QueueBinding | 'inline' | undefined
  /** The keys that encrypt secrets at rest: see {@link EngineOptions.secrets}. */
  secrets: EngineOptions['secrets']
  /** Options of the engine. */
  engine?: Omit<EngineOptions, WorkerPart> | undefined
}

export const BINDINGS_OPTIONS = {
  db: 'object',
  queue: 'any',
  secrets: 'any',
  engine: engineOptions,
} as const satisfies OptionNames<WorkerBindings>

/** The catalog among the options of the engine. */
type CatalogOf<Bindings extends WorkerBindings> = Bindings extends {
  engine: { catalog: infer Catalog extends EventCatalog }
}
  ? Catalog
  : EventCatalog

/** An app by its one method, so that a Hono app of any environment fits. */
interface FetchApp {
  fetch(request: Request, env: unknown, context: ExecutionContextLike): Response | Promise<Response>
}

/** Makes unknown names a type error, which TypeScript does not check in an object that a function returns. */
type NothingElse<Given, Known> = { [Name in Exclude<keyof Given, keyof Known>]: never }

type ExactBindings<Given extends WorkerBindings> = Given &
  NothingElse<Given, WorkerBindings> & {
    engine?: NothingElse<NonNullable<Given['engine']>, NonNullable<WorkerBindings['engine']>> | undefined
  }

export interface CreateWorkerOptions<Env, Bindings extends WorkerBindings = WorkerBindings> extends QueuePolicyOptions {
  /** Called once for each environment. If a binding is missing, the error names the properties of `env` that were not found. */
  bindings: (env: Env) => ExactBindings<Bindings>
  /** The app around the engine. @default the engine's routes under `/webhooks` */
  app?: ((parts: WorkerParts<Env, CatalogOf<Bindings>>) => FetchApp) | undefined
  /** For `wrangler dev`, never in production: see {@link EngineOptions.development}. @default false */
  development?: boolean | undefined
  /**
   * The host names of this Worker: its routes, its custom domains, and its name under `workers.dev`, which includes its
   * previews. Endpoints with such a host are refused, so that no delivery comes back as a request. A Worker cannot know them
   * by itself. A leading star matches anything: `*.example.com`. @default []
   */
  ownHostnames?: readonly string[] | undefined
  /** See {@link InlineEventQueueOptions}; only with `queue: 'inline'`. @default 20 */
  deliveriesPerInvocation?: number | undefined
  /** See {@link CloudflareEventQueueOptions}; only with a queue. @default 100 */
  messagesPerPublish?: number | undefined
  /** The name of the dead-letter queue. @default 'keepsend-dead-letters' */
  deadLetterQueue?: string | undefined
}

export const WORKER_OPTIONS = {
  bindings: { [OR]: 'a function' as const, ...BINDINGS_OPTIONS },
  app: 'function',
  development: 'boolean',
  ownHostnames: 'texts',
  deliveriesPerInvocation: 'number',
  messagesPerPublish: 'number',
  deadLetterQueue: 'text',
  ...QUEUE_POLICY_OPTIONS,
} satisfies OptionNames<CreateWorkerOptions<object>>

/** A Worker's default export. */
export interface KeepsendWorker<Env> {
  fetch(request: Request, env: Env, context: ExecutionContextLike): Promise<Response>
  queue(batch: QueueBatch, env: Env): Promise<void>
  scheduled(controller: unknown, env: Env): Promise<void>
}

/** The handlers for one environment. */
interface Installation {
  app: FetchApp
  queue(batch: QueueBatch): Promise<void>
  scheduled(): Promise<unknown>
}

// Without a queue, an attempt must end within the 30 s after a response.
const INLINE_DEADLINES = { deadlineMs: 10_000, maxDeadlineMs: 14_000 }

/**
 * Runs everything in one Worker: the app, the consumers of its queue and of the dead letters, and the cron.
 *
 * @example
 * export default createWorker({
 *   bindings: (env: Env) => ({ db: env.DB, queue: env.WEBHOOKS, secrets: createKeyRing(env.KEEPSEND_SECRET_KEY) }),
 *   app: ({ engine }) => createApp(engine),
 * }) satisfies ExportedHandler<Env>
 *
 * @throws {CloudflareAdapterError} `invalid_option` for an unknown option. Handlers throw `missing_binding`, `missing_flag`, and
 *   `invalid_option` for a bad value
 */
export function createWorker<Env extends object, Bindings extends WorkerBindings = WorkerBindings>(
  options: CreateWorkerOptions<Env, Bindings>,
): KeepsendWorker<Env> {
  checkNames('createWorker', WORKER_OPTIONS, options)
  // An isolate nearly always has one environment; a test or a service binding may pass another.
  const installations = new WeakMap<Env, Installation>()
  const of = (env: Env): Installation => {
    const known = installations.get(env)
    if (known) return known
    const made = install(options, env)
    installations.set(env, made)
    return made
  }
  return {
    async fetch(request, env, context) {
      return of(env).app.fetch(request, env, context)
    },
    async queue(batch, env) {
      await of(env).queue(batch)
    },
    async scheduled(_controller, env) {
      await of(env).scheduled()
    },
  }
}

function install<Env extends object>(options: CreateWorkerOptions<Env>, env: Env): Installation {
  const {
    bindings,
    app: createApp = defaultApp,
    deadLetterQueue = 'keepsend-dead-letters',
    development = false,
    ownHostnames = [],
    deliveriesPerInvocation,
    messagesPerPublish,
    ...policyOptions
  } = options
  checkFlags()
  const { db: binding, queue: producer, secrets, engine: given = {} } = readBindings(bindings, env)
  const urlPolicy = urlPolicyOf(given, ownHostnames)
  const logger = development ? debugJsonConsoleLogger : jsonConsoleLogger
  const settings = withDefaults({ ...given, urlPolicy, development }, { logger, sender: createFetchSender() })
  const db = fromD1(binding)
  if (producer === 'inline') {
    const queue = new InlineEventQueue({ deliveriesPerInvocation })
    const engine = createEngine({ ...withDefaults(settings, INLINE_DEADLINES), secrets, db, queue })
    queue.start(engine)
    return {
      app: createApp({ engine, env }),
      queue: () => dropMessages(engine.logger),
      scheduled: () => queue.sweep(),
    }
  }
  const queue = new CloudflareEventQueue({ queue: producer, messagesPerPublish })
  const engine = createEngine({ ...settings, secrets, db, queue })
  const policy = createQueuePolicy({ engine, queue }, policyOptions)
  return {
    app: createApp({ engine, env }),
    queue: (batch) =>
      batch.queue === deadLetterQueue ? consumeDeadLetters(policy, batch) : consumeBatch(policy, batch),
    scheduled: () => sweep(policy),
  }
}

/** The engine's URL policy with the Worker's own names denied; undefined if neither is given, so that the sender's applies. */
function urlPolicyOf(
  { urlPolicy, sender }: Partial<EngineOptions>,
  ownHostnames: readonly string[],
): UrlPolicy | undefined {
  if (ownHostnames.length === 0) return urlPolicy
  if (sender?.urlPolicy)
    throw new CloudflareAdapterError(
      'invalid_option',
      'ownHostnames cannot be added to the policy of a sender: name them in its urlPolicy.denyHosts, and leave ownHostnames out',
    )
  const policy = urlPolicy ?? {}
  // Under workers.dev each version of a Worker has its own name: 4c1d2b3a-name.account.workers.dev.
  const own = ownHostnames.flatMap((name) => (/\.workers\.dev\.?$/i.test(name) ? [name, `*-${name}`] : [name]))
  return { ...policy, denyHosts: [...(policy.denyHosts ?? []), ...own] }
}

function defaultApp({ engine }: { engine: Engine }): FetchApp {
  return new Hono().use(keepsend(engine)).route('/webhooks', engine.routes)
}

/** Messages for a Worker with `queue: 'inline'` are acknowledged, because the cron delivers their rows. */
async function dropMessages(logger: Logger): Promise<void> {
  logger.warn({}, "dropped messages, because queue is 'inline'; the cron delivers their rows")
}

/** Calls `bindings`, and throws `missing_binding` with the properties of `env` that it did not find. */
function readBindings<Env extends object>(
  bindings: (env: Env) => WorkerBindings,
  env: Env,
): WorkerBindings & { db: D1Binding; queue: QueueBinding | 'inline' } {
  const missed = new Set<string>()
  const watched = new Proxy(env, {
    get(target, name, receiver): unknown {
      const value: unknown = Reflect.get(target, name, receiver)
      if (value === undefined) missed.add(`env.${String(name)}`)
      return value
    },
  })
  const found = bindings(watched)
  checkNames('bindings(env)', BINDINGS_OPTIONS, found)
  const { db, queue, ...rest } = found
  if (db && queue) return { ...rest, db, queue }
  const [part, kind] = db ? ['queue', 'queues.producers'] : ['db', 'd1_databases']
  throw new CloudflareAdapterError(
    'missing_binding',
    `bindings(env).${part} is missing; not bound: ${[...missed].join(', ') || 'nothing that was asked for'}. ` +
      `Bind it in wrangler.jsonc under ${kind}. There are: ${Object.keys(env).join(', ') || 'no bindings at all'}`,
  )
}
