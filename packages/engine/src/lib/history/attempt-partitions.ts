import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, isLockTimeout, raw, sqlText } from '@keepsend/outbox/internal'
import { type Logger, errorFields } from '../logger.ts'
import { type Range, missingRanges, partitionMs } from './partition-ranges.ts'

/**
 * The partitions of `keepsend_attempts`, on Postgres alone. Maintenance and `migrateEngine` attach them ahead, so that no
 * settle ever waits for it, and maintenance drops each when its whole range is past the retention. An attempt for which there
 * is no partition is in the default one.
 */
export interface AttemptPartitions {
  /** The database's time, ms since the epoch. */
  now: number
  attached: AttachedPartition[]
  /** The quoted name of the default partition; undefined if there is none. */
  default: string | undefined
  /** The quoted name of the schema of the table. */
  schema: string
}

interface AttachedPartition extends Range {
  /** Its quoted name. */
  name: string
}

// Of an id: see attempt-id.ts.
const PER_MS = 2n ** 20n
const DAY_MS = 86_400_000
/** In a transaction on Postgres: no one waits longer for a lock, nor for one that stands behind ours. */
export const BRIEFLY = raw(`set local lock_timeout = '200ms'`)
// Dropped in a round; each takes about 10 ms.
const MAX_DROPPED = 4

/** Reads which partitions there are; undefined if there is no such table. */
export async function readPartitions(db: OutboxDatabase): Promise<AttemptPartitions | undefined> {
  const { rows } = await db.run<{ now: number; schema: string; name: string | null; bounds: string | null }>(sqlText`
    select ms as "now", cast(parent.relnamespace as regnamespace)::text as "schema",
      cast(part.oid as regclass)::text as "name", pg_get_expr(part.relpartbound, part.oid) as "bounds"
    from keepsend_clock cross join pg_class as parent
    left join pg_inherits as child on child.inhparent = parent.oid left join pg_class as part on part.oid = child.inhrelid
    where parent.oid = to_regclass('keepsend_attempts')`)
  const [first] = rows
  if (!first) return undefined
  const attached: AttachedPartition[] = []
  for (const { name, bounds } of rows) {
    const [, from, to] = /^FOR VALUES FROM \('(\d+)'\) TO \('(\d+)'\)$/.exec(bounds ?? '') ?? []
    if (name !== null && from !== undefined && to !== undefined) {
      attached.push({ name, from: Number(BigInt(from) / PER_MS), to: Number((BigInt(to) + PER_MS - 1n) / PER_MS) })
    }
  }
  return {
    now: first.now,
    schema: first.schema,
    attached,
    default: rows.find(({ bounds }) => bounds === 'DEFAULT')?.name ?? undefined,
  }
}

/**
 * Attaches the partitions of the days ahead that are missing. One that cannot be attached is logged once, and its rows go to
 * the default partition; another process that attaches it first is no error.
 *
 * @param refused the partitions that could not be attached: they are not tried again
 */
export async function attachAhead(
  db: OutboxDatabase,
  partitions: AttemptPartitions,
  {
    retentionMs,
    days,
    refused,
    logger,
  }: {
    retentionMs: number
    days?: number | undefined
    refused: Set<string>
    logger: Pick<Logger, 'warn'>
  },
): Promise<void> {
  const { now, attached, schema } = partitions
  for (const range of missingRanges(attached, { now, lengthMs: partitionMs(retentionMs), days })) {
    const name = `${schema}.keepsend_attempts_${Math.floor(range.from / DAY_MS)}`
    if (refused.has(name)) continue
    try {
      if (partitions.default !== undefined && (await hasRows(db, partitions.default, range))) {
        refused.add(name)
        logger.warn(
          { partition: name },
          'cannot attach a partition: its rows are in the default partition, and go on there',
        )
        continue
      }
      await db.atomic(attachStatements(schema, name, range))
    } catch (error) {
      const isThere = (await readPartitions(db))?.attached.some(({ from, to }) => from <= range.from && to >= range.to)
      if (isThere) continue
      // The session with the lock has it for the others too: they are attached at the next maintenance.
      if (isLockTimeout(error)) return
      refused.add(name)
      logger.warn(
        { partition: name, ...errorFields(error) },
        'failed to attach a partition; its rows go to the default one',
      )
    }
  }
}

/**
 * A table that is created beside the others, and then attached: that locks the attempts against no reader and no settle, where
 * `create table … partition of` waits for all of them. One transaction, so that no half is left; one process at a time.
 */
function attachStatements(schema: string, name: string, { from, to }: Range): SqlText[] {
  const parent = `${schema}.keepsend_attempts`
  return [
    BRIEFLY,
    // The number of the table: other schemas have locks of their own.
    raw(
      `select pg_advisory_xact_lock(hashtextextended('keepsend', cast(to_regclass('keepsend_attempts') as oid)::bigint))`,
    ),
    raw(`create table if not exists ${name} (like ${parent} including all)`),
    raw(`alter table ${parent} attach partition ${name} for values from (${firstId(from)}) to (${firstId(to)})`),
  ]
}

/** Without this look, the attach would lock the default partition and read all of it, only to be refused. */
async function hasRows(db: OutboxDatabase, table: string, { from, to }: Range): Promise<boolean> {
  const { rows } = await db.run(
    raw(`select 1 as "found" from ${table} where id >= ${firstId(from)} and id < ${firstId(to)} limit 1`),
  )
  return rows.length > 0
}

const firstId = (ms: number): bigint => BigInt(ms) * PER_MS

/**
 * Drops partitions whose whole range is before a time, at most 4 a call. One that a reader holds stays until the next
 * maintenance: nobody waits longer than 200 ms.
 *
 * @returns whether there are more
 */
export async function dropBefore(
  db: OutboxDatabase,
  { attached }: Pick<AttemptPartitions, 'attached'>,
  { before, logger }: { before: number; logger: Pick<Logger, 'info' | 'warn'> },
): Promise<{ more: boolean }> {
  const old = attached.filter(({ to }) => to <= before)
  for (const { name } of old.slice(0, MAX_DROPPED)) {
    try {
      await db.atomic([BRIEFLY, raw(`drop table if exists ${name}`)])
      logger.info({ partition: name }, 'dropped a partition of attempts past their retention')
    } catch (error) {
      logger.warn(
        { partition: name, ...errorFields(error) },
        'failed to drop a partition; trying again at the next maintenance',
      )
      return { more: false }
    }
  }
  return { more: old.length > MAX_DROPPED }
}
