// The drizzle tables of each dialect are written by hand beside the migrations, and the codecs name the columns again: this
// compares the four, and joins them with a host's own table.
import * as onPostgres from '@keepsend/engine/postgres/tables'
import * as onSqlite from '@keepsend/engine/sqlite/tables'
import { migrateOutbox } from '@keepsend/outbox'
import type { Row } from '@keepsend/outbox/internal'
import { type Column, Table, eq, getTableColumns, getTableName, is } from 'drizzle-orm'
import { drizzle as drizzleSqlite } from 'drizzle-orm/better-sqlite3'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { pgTable, text as pgText } from 'drizzle-orm/pg-core'
import { sqliteTable, text as sqliteText } from 'drizzle-orm/sqlite-core'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type EndpointInput, migrateEngine } from '../src/index.ts'
import { apiKeyRows, auditRows, endpointRows, secretRows } from '../src/lib/codecs.ts'
import { portalLinkRows } from '../src/lib/portal-links/portal-link.ts'
import { type TestDatabase, openDatabase, openFile, openPostgres, temporaryFile } from './database.ts'
import { rig } from './rig.ts'

const codecs = {
  keepsend_endpoints: endpointRows,
  keepsend_secrets: secretRows,
  keepsend_api_keys: apiKeyRows,
  keepsend_audit: auditRows,
  keepsend_portal_links: portalLinkRows,
}
const runsOnPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'

/** Table → property → description of its column. */
function described<Said>(tables: Record<string, unknown>, say: (column: Column) => Said) {
  const all = Object.values(tables).filter((table) => is(table, Table))
  return Object.fromEntries(
    all.map((table) => {
      const columns = Object.entries(getTableColumns(table)).map(([property, column]) => [property, say(column)])
      return [getTableName(table), Object.fromEntries(columns) as Record<string, Said>]
    }),
  )
}

interface MigratedColumn {
  name: string
  type: string
  notNull: boolean
}

/** Table → columns in the order of the migration, as the database reports them. */
async function columnsIn({ select, db }: TestDatabase): Promise<Record<string, MigratedColumn[]>> {
  const rows =
    db.dialect.name === 'postgres'
      ? await select(`
          select table_name as "table", column_name as "name", data_type as "type", (is_nullable = 'NO') as "notNull"
          from information_schema.columns join information_schema.tables using (table_schema, table_name)
          where table_schema = current_schema and table_type = 'BASE TABLE'
            and not (select relispartition from pg_class where oid = cast(table_name as regclass)) order by table_name, ordinal_position`)
      : await select(`
          select found.name as "table", columns.name as "name", columns.type as "type", columns."notnull" as "notNull"
          from sqlite_schema as found join pragma_table_info(found.name) as columns
          where found.type = 'table' order by found.name, columns.cid`)
  const tables: Record<string, MigratedColumn[]> = {}
  for (const { table, name, type, notNull } of rows) {
    const columns = (tables[String(table)] ??= [])
    columns.push({ name: String(name), type: String(type).toLowerCase(), notNull: Boolean(notNull) })
  }
  return tables
}

/** The tables that the engine's migrations add to those of the outbox. */
async function migratedTables(): Promise<Record<string, MigratedColumn[]>> {
  const database = await openDatabase({ isPrepared: false })
  await migrateOutbox(database.db)
  const before = await columnsIn(database)
  await migrateEngine(database.db)
  const after = await columnsIn(database)
  return Object.fromEntries(Object.entries(after).filter(([table]) => !(table in before)))
}

describe('the migrations, the drizzle tables and the codecs', () => {
  it('agree on every table and every column: name, type, null and order', async () => {
    const tables = described(runsOnPostgres ? onPostgres : onSqlite, (column) => ({
      name: column.name,
      type: column.getSQLType(),
      notNull: column.notNull,
    }))
    const ours = Object.entries(tables).map(([table, columns]) => [table, Object.values(columns)])
    expect(Object.fromEntries(ours)).toEqual(await migratedTables())
    expect(ours).toHaveLength(19)
  })

  it('give both dialects the same properties, values, defaults and keys', () => {
    const say = ({ name, notNull, primary, default: value, enumValues }: Column) => ({
      name,
      notNull,
      primary,
      value,
      enumValues,
    })
    expect(described(onPostgres, say)).toEqual(described(onSqlite, say))
  })

  it.each(Object.entries(codecs))('name the columns of %s under the same properties', (table, { all }) => {
    const selected = all.sql.split(', ').map((one) => /^(\w+) as "(\w+)"$/.exec(one)?.slice(1))
    for (const tables of [onSqlite, onPostgres]) {
      const named = Object.entries(described(tables, ({ name }) => name)[table] ?? {})
      expect(selected).toEqual(named.map(([property, column]) => [column, property]))
    }
  })

  it.each<[string, { read(row: Row): object }]>(Object.entries(codecs))(
    'mark as JSON in the codec of %s what drizzle parses, and nothing else',
    (table, codec) => {
      for (const tables of [onSqlite, onPostgres]) {
        const isParsed = described(tables, (column) => Array.isArray(column.mapFromDriverValue('[1]')))[table] ?? {}
        const row = codec.read(Object.fromEntries(Object.keys(isParsed).map((property) => [property, '[1]'])))
        const read = Object.entries(row).map(([property, value]) => [property, Array.isArray(value)])
        expect(Object.fromEntries(read)).toEqual(isParsed)
      }
    },
  )
})

/** A host's own table beside `endpoints`, and its join with the endpoints of a channel. */
async function hostOnSqlite() {
  const { connection, database } = openFile(temporaryFile())
  const made = await rig({ on: database })
  const teams = sqliteTable('teams', { name: sqliteText('name').primaryKey(), endpointId: sqliteText('endpoint_id') })
  const { endpoints } = onSqlite
  const orm = drizzleSqlite(connection)
  return {
    made,
    addTeam: (name: string, endpointId: string) => orm.insert(teams).values({ name, endpointId }),
    join: (channels: string[]) =>
      orm
        .select({ team: teams.name, endpoint: endpoints })
        .from(teams)
        .innerJoin(endpoints, eq(endpoints.id, teams.endpointId))
        .where(eq(endpoints.channels, channels)),
  }
}

async function hostOnPostgres() {
  const { url, ...on } = await openPostgres()
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  onTestFinished(() => pool.end())
  const made = await rig({ on })
  const teams = pgTable('teams', { name: pgText('name').primaryKey(), endpointId: pgText('endpoint_id') })
  const { endpoints } = onPostgres
  const orm = drizzlePg({ client: pool })
  return {
    made,
    addTeam: (name: string, endpointId: string) => orm.insert(teams).values({ name, endpointId }),
    join: (channels: string[]) =>
      orm
        .select({ team: teams.name, endpoint: endpoints })
        .from(teams)
        .innerJoin(endpoints, eq(endpoints.id, teams.endpointId))
        .where(eq(endpoints.channels, channels)),
  }
}

describe('a host that joins Keepsend’s endpoints with its own table through drizzle', () => {
  it('reads lists and maps parsed, times as numbers, and finds an endpoint by a list', async () => {
    const { made, addTeam, join } = await (runsOnPostgres ? hostOnPostgres() : hostOnSqlite())
    await made.exec('create table teams (name text primary key, endpoint_id text)')
    const parts = {
      eventTypes: ['message.*', 'file.added'],
      channels: ['room.1'],
      headers: { 'x-team': 'a "quoted" one' },
      retrySchedule: [5, 60],
      retryStatuses: [404],
      rateLimit: 10,
    } satisfies Partial<EndpointInput>
    const { id } = await made.addEndpoint(parts)
    const other = await made.addEndpoint({ channels: ['room.2'] })
    await addTeam('a', id)
    await addTeam('b', other.id)

    const joined = await join(['room.1'])
    const headers = { 'x-team': expect.not.stringContaining('quoted') as string }
    const asStored = { id, ...parts, headers, circuit: 'closed', disabledReason: null }
    expect(joined).toMatchObject([{ team: 'a', endpoint: asStored }])
    const { createdAt, rateNextUs } = joined[0]?.endpoint ?? {}
    expect([typeof createdAt, rateNextUs]).toEqual(['number', 0])
    expect(await join(['room.2'])).toMatchObject([{ team: 'b', endpoint: { id: other.id, retrySchedule: null } }])
  })
})
