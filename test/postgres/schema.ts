import { randomBytes } from 'node:crypto'
import { globSync, readFileSync } from 'node:fs'
import pg from 'pg'
import { inject } from 'vitest'

declare module 'vitest' {
  export interface ProvidedContext {
    /** A server for tests: see setup.ts. */
    postgresUrl: string
    /** Begins the name of every schema of this run. */
    postgresSchemas: string
  }
}

/** A schema of one test's own, in the database that all tests share. */
export interface TestSchema {
  name: string
  /** Leads any driver into the schema. */
  url: string
  /** Removes it with all that is in it. Close the connections first. */
  drop(): Promise<void>
}

export async function createSchema(): Promise<TestSchema> {
  const base = inject('postgresUrl')
  // Random: a long run can have two workers of one process id.
  const name = `${inject('postgresSchemas')}${randomBytes(8).toString('hex')}`
  await once(base, (client) => client.query(`create schema ${name}`))
  const url = new URL(base)
  url.searchParams.set('options', `-c search_path=${name}`)
  // URLSearchParams writes a space as a plus, which a connection string does not read as one.
  return {
    name,
    url: url.href.replaceAll('+', '%20'),
    drop: () => once(base, async (client) => void (await client.query(`drop schema ${name} cascade`))),
  }
}

/** A migrated schema that no test has, and what it was when it was new. */
interface Spare {
  schema: TestSchema
  shape: Shape
}

/** What a schema has beside the rows of tests. */
interface Shape {
  /** Its tables, views, indexes, columns, constraints, triggers, functions and migrations, and whether a table was analyzed. */
  digest: string
  relations: string[]
}

/** How a schema becomes a migrated one. */
export interface SchemaKind {
  /** The packages whose migrations it has: their inserts are made again in an emptied schema. */
  packages: readonly ('outbox' | 'engine')[]
  migrate(url: string): Promise<unknown>
}

// By the packages whose migrations they have. The tests of a worker share this module.
const spares = new Map<string, Spare[]>()

/**
 * Lends a schema that is migrated, and empty but for what its migrations insert. Its `drop` empties it for the next test, which takes
 * a tenth of the time of the migrations; one that a test has changed otherwise is removed.
 */
export async function lendSchema(kind: SchemaKind): Promise<TestSchema> {
  const base = inject('postgresUrl')
  const of = kind.packages.join()
  const free = spares.get(of) ?? []
  spares.set(of, free)
  const spare = free.pop() ?? (await create())
  return { ...spare.schema, drop: () => giveBack(spare) }

  async function create(): Promise<Spare> {
    const schema = await createSchema()
    await kind.migrate(schema.url)
    return { schema, shape: await once(base, (client) => shapeOf(client, schema.name)) }
  }

  async function giveBack({ schema, shape }: Spare): Promise<void> {
    const isAsNew = await once(base, async (client) => {
      await client.query(`set search_path = ${schema.name}`)
      const added = (await relationsOf(client, schema.name)).filter(({ name }) => !shape.relations.includes(name))
      for (const { name, kind: relation } of added) {
        const what = relation === 'v' ? 'view' : relation === 'r' || relation === 'p' ? 'table' : undefined
        if (what) await client.query(`drop ${what} if exists ${name} cascade`)
      }
      if ((await digestOf(client, schema.name)) !== shape.digest) return false
      await client.query(EMPTY.replaceAll('$schema', schema.name))
      for (const insert of kind.packages.flatMap(insertsOf)) await client.query(insert)
      return true
    })
    if (isAsNew) free.push({ schema, shape })
    else await schema.drop()
  }
}

const root = new URL('../../', import.meta.url)

/** The inserts in the migrations of a package. */
function insertsOf(packageName: string): string[] {
  const files = globSync(`packages/${packageName}/migrations/postgres/*.sql`, { cwd: root })
  return files
    .toSorted()
    .flatMap((file) => readFileSync(new URL(file, root), 'utf8').match(/^insert into [^;]+;/gm) ?? [])
}

const KEPT = 'keepsend_migrations'

// Only tables that had rows, and new files only for those that grew: of a table with new files connections have to read again what
// they know of it, which took a quarter of the tests' time. Sequences go on: connections have cached their next values.
const EMPTY = `
do $$
declare emptied text;
begin
  for emptied in select case when pg_relation_size(oid) > 16 * 8192 then format('truncate %I cascade', relname) else format('delete from %I', relname) end
    from pg_class
    where relnamespace = '$schema'::regnamespace and relkind = 'r' and relname <> '${KEPT}' and pg_relation_size(oid) > 0
  loop
    execute emptied;
  end loop;
end $$`

async function shapeOf(client: pg.ClientBase, schema: string): Promise<Shape> {
  await client.query(`set search_path = ${schema}`)
  const relations = await relationsOf(client, schema)
  return { digest: await digestOf(client, schema), relations: relations.map(({ name }) => name) }
}

async function relationsOf(client: pg.ClientBase, schema: string): Promise<{ name: string; kind: string }[]> {
  const { rows } = await client.query<{ name: string; kind: string }>(
    'select relname as name, relkind as kind from pg_class where relnamespace = $1::regnamespace order by relname',
    [schema],
  )
  return rows
}

// The catalog's own columns: `pg_get_indexdef` and its kind would write the same as SQL, in ten times the time.
async function digestOf(client: pg.ClientBase, schema: string): Promise<string> {
  const { rows } = await client.query<{ digest: string }>({
    // Named: it is planned once.
    name: 'digest',
    text: `with relation as (select * from pg_class where relnamespace = $1::regnamespace and relkind <> 't'),
      fact (fact) as (
        select concat_ws(' ', relname, relkind, relispartition, reloptions, relpartbound) from relation
        union all
        select concat_ws(' ', relname, indisunique, indisvalid, indkey, indcollation, indclass, indoption, indexprs, indpred)
        from pg_index join relation on relation.oid = indexrelid
        union all
        select concat_ws(' ', relname, attname, atttypid, attnotnull, attcollation, adbin)
        from pg_attribute join relation on relation.oid = attrelid
          left join pg_attrdef on adrelid = attrelid and adnum = attnum
        where attnum > 0 and not attisdropped and relkind in ('r', 'p')
        union all
        select concat_ws(' ', relname, conname, contype, convalidated, conkey, confrelid, confkey, conbin)
        from pg_constraint join relation on relation.oid = conrelid
        union all
        select concat_ws(' ', relname, tgname, tgenabled) from pg_trigger join relation on relation.oid = tgrelid where not tgisinternal
        union all
        select concat_ws(' ', relname, rulename, ev_qual, ev_action) from pg_rewrite join relation on relation.oid = ev_class
        union all
        select concat_ws(' ', proname, prosrc) from pg_proc where pronamespace = $1::regnamespace
        union all
        select concat_ws(' ', 'migrated', name, checksum) from ${KEPT}
        union all
        select concat_ws(' ', 'analyzed', relname) from relation
        where exists (select 1 from pg_statistic where starelid = relation.oid) and relname <> '${KEPT}')
    select md5(string_agg(fact, chr(10) order by fact)) as digest from fact`,
    values: [schema],
  })
  return rows[0]?.digest ?? ''
}

// A new connection takes 20 ms, and its first look at a schema several times as long.
const admins = new Map<string, pg.Pool>()

async function once<T>(url: string, work: (client: pg.ClientBase) => Promise<T>): Promise<T> {
  const admin = admins.get(url) ?? new pg.Pool({ connectionString: url, max: 2, allowExitOnIdle: true })
  if (!admins.has(url))
    admins.set(
      url,
      admin.on('error', () => undefined),
    )
  const client = await admin.connect()
  try {
    await client.query("set client_min_messages = 'warning'")
    return await work(client)
  } finally {
    client.release()
  }
}
