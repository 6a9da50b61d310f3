import { type OutboxDatabase, type Statement, toSql } from '@keepsend/outbox'

/** Keepsend with one rule removed from its SQL: a harness must detect it, or it proves nothing. */
export interface Mutant {
  name: string
  /** Each must match some statement that runs. */
  rewrites: readonly { find: RegExp; put: string }[]
}

/** A settle changes any row with its id, also under another worker's claim. */
export const WITHOUT_GEN: Mutant = {
  name: 'settles without gen',
  rewrites: [
    { find: /(where|from move\)? and)\s+id = claim_id and gen = claim_gen and/, put: '$1 id = claim_id and' },
    {
      find: /^\s*delete from pending_events where \(id, gen\) in \(select key as claim_id, value as claim_gen from/,
      put: 'delete from pending_events where id in (select key from',
    },
  ],
}

/** A settle changes a row that another settle has ended. */
export const WITHOUT_PENDING: Mutant = {
  name: 'settles settled rows',
  rewrites: [{ find: /gen = claim_gen and status = 'pending'/, put: 'gen = claim_gen' }],
}

/** A claim that filters on remaining attempts: a row whose worker died on its last one is never claimed again. */
export const WITHOUT_BURIAL: Mutant = {
  name: 'claims only rows with attempts left',
  rewrites: [
    {
      find: /and due_at is not null and ready = 0 and due_at <= /,
      put: 'and ready = 0 and attempts < max_attempts and due_at <= ',
    },
  ],
}

/** A settle that leaves a row in line, where it was put when its lease expired. */
export const WITHOUT_LEAVING_AT_SETTLE: Mutant = {
  name: 'settles and stays in line',
  rewrites: [{ find: /ready = case when to_status = 'pending' [^]*? then 1 else 0 end,/, put: '' }],
}

/** A late heartbeat that leaves its row in line, where another worker claims it under a live lease. */
export const WITHOUT_LEAVING_AT_HEARTBEAT: Mutant = {
  name: 'renews and stays in line',
  rewrites: [{ find: /(due_at = max\(due_at, [^]*?), ready = 0/, put: '$1' }],
}

/** A row that is inserted again begins with the same `gen` as its first life. */
export const WITH_FIXED_GEN: Mutant = {
  name: 'new rows begin at a fixed gen',
  // The last two readings of the clock in an insert are `gen` and `created_at`; a fan-out has it as `now`.
  rewrites: [
    { find: /(insert into pending_events[^]*)(\(select ms from keepsend_clock\)|\bnow), \2,/, put: '$11, $2,' },
  ],
}

/** A message of an earlier life counts as overtaken in the current life. */
export const WITH_OLD_MESSAGES: Mutant = {
  name: 'messages of an earlier life count as overtaken',
  rewrites: [{ find: /and claim_gen >= created_at and/, put: 'and' }],
}

/** A claim takes the lanes of the same endpoint in every workspace. */
export const WITHOUT_WORKSPACE: Mutant = {
  name: 'claims from every workspace',
  rewrites: [{ find: /workspace_id = value ->> 0 and /, put: '' }],
}

/** An event has a row for each endpoint of every workspace. The fan-out names its receivers twice: to count them, too. */
export const WITH_OTHERS_ENDPOINTS: Mutant = {
  name: 'publishes to other workspaces',
  rewrites: [
    { find: /workspace_id = \? and \(status = 'enabled'/g, put: `? is not null and (status = 'enabled'` },
    { find: /where workspace_id = \? and pattern/g, put: 'where ? is not null and pattern' },
  ],
}

/** Expiry fails a row whose worker is making an attempt. */
export const WITHOUT_LIVE_LEASE: Mutant = {
  name: 'expires rows under a live lease',
  rewrites: [{ find: /\(claimed_at is null or due_at <= /, put: '(1 = 1 or due_at <= ' }],
}

/** Expiry uses the time in the id alone. */
export const WITHOUT_AGE: Mutant = {
  name: 'expires rows with an old id',
  rewrites: [{ find: /coalesce\(replayed_at, deliver_at, created_at\) < /, put: '0 < ' }],
}

/** Expiry uses the age alone. */
export const WITHOUT_LIMIT: Mutant = {
  name: 'expires no row by its own time',
  rewrites: [{ find: /completed_at is null and expires_at <= /, put: 'completed_at is null and 0 > ' }],
}

/** A cancel takes a row that a worker holds. Its condition stands twice: where it picks rows and where it changes them. */
export const WITHOUT_MARK: Mutant = {
  name: 'cancels rows in flight',
  rewrites: [1, 2].map(() => ({
    find: /attempts = 0 and crashes = 0 and last_status is null\s+and claimed_at is null/,
    put: 'crashes = 0 and last_status is null',
  })),
}

/** A clean-up of payloads that does not check for rows. */
export const WITHOUT_LOOKING_FOR_ROWS: Mutant = {
  name: 'cleans up payloads in use',
  rewrites: [{ find: /and \(\s*select delivery\.id from [^]*? limit 1\) is null/, put: '' }],
}

/** The mutant of a database, and how often each of its rewrites was applied. */
export interface Mutated {
  db: OutboxDatabase
  counts: readonly number[]
}

/** Rewrites the text of every statement on its way to the database. */
export function mutate(db: OutboxDatabase, { rewrites }: Mutant): Mutated {
  const counts = rewrites.map(() => 0)
  const rewrite = (statement: Statement): Statement => {
    let { sql, params } = toSql(statement, db.dialect.name)
    for (const [index, { find, put }] of rewrites.entries()) {
      if (!find.test(sql)) continue
      counts[index] = (counts[index] ?? 0) + 1
      sql = sql.replace(find, put)
    }
    return { sql, params }
  }
  return {
    counts,
    db: {
      dialect: db.dialect,
      run: <R extends object>(statement: Statement) => db.run<R>(rewrite(statement)),
      atomic: (statements) => db.atomic(statements.map(rewrite)),
    },
  }
}

/** A mutant that changed nothing equals Keepsend: the texts that it looks for have changed. */
export function assertMutated(mutant: Mutant, counts: readonly number[]): void {
  const missed = mutant.rewrites.filter((_, index) => !counts[index])
  if (missed.length === 0) return
  throw new Error(
    `the mutant "${mutant.name}" found nothing to rewrite by ${missed.map(({ find }) => String(find)).join(' and ')}: ` +
      'the SQL has changed, and the mutant must follow it',
  )
}
