import type { Store } from './stores.ts'

/** A contender as it appears in the tables: its file in contenders/, its settings, its store. */
export interface Entry {
  name: string
  file: string
  flavour: string
  /** Endpoints over which its events are spread. @default 1 */
  endpoints?: number | undefined
  /** How large they are. @default 500 */
  payloadBytes?: number | undefined
  /** Whether it records attempts. @default false */
  history?: boolean | undefined
  store: Store
  /** Its share of a round's events, smaller for a slower one, so that its round takes about as long. */
  share: number
  /** The limit if neither its core nor the servers' is busy. */
  waitsFor: string
}

const nothing = { flavour: '', share: 1 }

/** The sizes beside 500 bytes, and their part of a round's events. */
export const SIZES = [
  { payloadBytes: 2000, size: '2 kB', part: 0.5 },
  { payloadBytes: 20_000, size: '20 kB', part: 0.25 },
] as const

/** The same contender with larger events. */
export function ofSize(entry: Entry, { payloadBytes, size, part }: (typeof SIZES)[number]): Entry {
  return { ...entry, name: `${entry.name}, ${size}`, payloadBytes, share: entry.share * part }
}

export const raw = {
  ...nothing,
  name: 'raw Pool.request',
  file: 'raw',
  store: 'none',
  waitsFor: 'answers',
} as const satisfies Entry

export const full = {
  ...nothing,
  name: 'keepsend FULL',
  file: 'keepsend',
  flavour: 'FULL',
  store: 'folder',
  waitsFor: 'the fsync of a group of settles and the next claim, which holds the event loop',
} as const satisfies Entry

export const fullTo100 = { ...full, name: 'keepsend FULL, 100 endpoints', endpoints: 100 } as const satisfies Entry

export const normal = {
  ...full,
  name: 'keepsend NORMAL',
  flavour: 'NORMAL',
  waitsFor: 'answers, and the fsync of checkpoints',
} as const satisfies Entry

export const keepsendPostgres = {
  ...nothing,
  name: 'keepsend Postgres',
  file: 'keepsend',
  flavour: 'postgres',
  store: 'postgres',
  share: 0.5,
  waitsFor: "the server's commits, a group at a time",
} as const satisfies Entry

export const keepsendPostgresTo100 = {
  ...keepsendPostgres,
  name: 'keepsend Postgres, 100 endpoints',
  endpoints: 100,
} as const satisfies Entry

export const graphileWorker = {
  ...nothing,
  name: 'graphile-worker',
  file: 'graphile-worker',
  store: 'postgres',
  share: 0.5,
  waitsFor: "the server's commits: its local queue is refilled and jobs are completed in groups",
} as const satisfies Entry

export const pgBoss = {
  ...nothing,
  name: 'pg-boss',
  file: 'pg-boss',
  store: 'postgres',
  share: 0.5,
  waitsFor: "the server's commits, and the slowest job of each batch",
} as const satisfies Entry

export const bullmqAlways = {
  ...nothing,
  name: 'BullMQ always',
  file: 'bullmq',
  store: 'redis always',
  share: 0.25,
  waitsFor: "an fsync of Redis' log for each event-loop tick",
} as const satisfies Entry

export const bullmqEverysec = {
  ...bullmqAlways,
  name: 'BullMQ everysec',
  store: 'redis everysec',
  waitsFor: 'round trips to Redis',
} as const satisfies Entry

export const plainjob = {
  ...nothing,
  name: 'plainjob FULL',
  file: 'plainjob',
  store: 'folder',
  share: 0.2,
  waitsFor: 'two fsyncs for each job, which hold the event loop',
} as const satisfies Entry

export const naive = {
  ...nothing,
  name: 'naive drizzle + fetch FULL',
  file: 'naive',
  store: 'folder',
  share: 0.1,
  waitsFor: 'an fsync for each row, which holds the event loop, and the slowest answer of each batch',
} as const satisfies Entry

export const outbox = {
  ...nothing,
  name: 'keepsend enqueueEvent FULL',
  file: 'outbox',
  store: 'folder',
  waitsFor: 'an fsync for each group of callers, which holds the event loop',
} as const satisfies Entry

export const commitFull = {
  ...full,
  name: 'keepsend engine.commit FULL',
  share: 0.5,
  waitsFor: outbox.waitsFor,
} as const satisfies Entry

/** A commit of Postgres for each event, which the server shares among concurrent ones. */
export const commitOnPostgres = { share: 0.125, waitsFor: 'a commit of the server for each event' } as const

export const commitPostgres = {
  ...keepsendPostgres,
  ...commitOnPostgres,
  name: 'keepsend engine.commit Postgres',
} as const satisfies Entry

export const rowByRow = {
  ...nothing,
  name: 'row by row FULL',
  file: 'row-by-row',
  store: 'folder',
  share: 0.25,
  waitsFor: 'an fsync for each row, which holds the event loop',
} as const satisfies Entry
