import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import type { SqlValue } from '../src/internal.ts'
import { DRIVER_NAMES, open } from './postgres.ts'

/** A value for a column of this type, and the value that the server then has. */
const CASES: [
  type: string,
  value: SqlValue | boolean | bigint | Date | readonly string[] | undefined,
  text: string | null,
][] = [
  ['jsonb', '{"a":1}', '{"a": 1}'],
  ['jsonb', '"text"', '"text"'],
  ['json', '[1,2]', '[1,2]'],
  ['boolean', 'true', 'true'],
  ['boolean', 'off', 'false'],
  ['boolean', true, 'true'],
  ['timestamp', '2026-11-23 12:00:00', '2026-11-23 12:00:00'],
  ['timestamptz', '2026-11-23 12:00:00+05', '2026-11-23 07:00:00+00'],
  ['timestamptz', new Date(Date.UTC(2026, 10, 23, 7)), '2026-11-23 07:00:00+00'],
  ['date', '2026-11-23', '2026-11-23'],
  ['bigint', 9_007_199_254_740_991, '9007199254740991'],
  ['bigint', '9223372036854775807', '9223372036854775807'],
  ['bigint', 9_223_372_036_854_775_807n, '9223372036854775807'],
  ['numeric', '1.10', '1.10'],
  ['double precision', 0.1, '0.1'],
  ['bytea', new Uint8Array([0, 255, 10]), '\\x00ff0a'],
  ['text', '{"a":1}', '{"a":1}'],
  ['text', 5, '5'],
  ['text[]', '{a,"b c"}', '{a,"b c"}'],
  ['text[]', ['a', 'b "c"'], '{a,"b \\"c\\""}'],
  ['uuid', '01900000-0000-7000-8000-000000000001', '01900000-0000-7000-8000-000000000001'],
  ['text', null, null],
  ['jsonb', undefined, null],
]

describe.each(DRIVER_NAMES)('a parameter, by %s', (driver) => {
  it('means the same as a literal in quotes, whatever the type of its column', async () => {
    const { db } = await open(driver, { migrated: false })
    for (const [index, [type, value, text]] of CASES.entries()) {
      const table = `t${index}`
      const [, , , read] = await db.atomic([
        { sql: "set local timezone = 'UTC'", params: [] },
        { sql: `create table ${table} (v ${type})`, params: [] },
        { sql: `insert into ${table} values (?)`, params: [value as SqlValue] },
        { sql: `select cast(v as text) as v from ${table}`, params: [] },
      ])
      expect([type, value, read?.rows]).toEqual([type, value, [{ v: text }]])
    }
  })

  it("means the same in drizzle's form as in a text", async () => {
    const { db } = await open(driver, { migrated: false })
    await db.run({ sql: 'create table t (j jsonb, b boolean, l text[])', params: [] })
    await db.run(sql`insert into t values (${'{"a":1}'}, ${true}, ${sql.param(['a', 'b'])})`)
    const { rows } = await db.run({ sql: 'select j, b, cast(l as text) as l from t', params: [] })
    expect(rows).toEqual([{ j: { a: 1 }, b: true, l: '{a,b}' }])
  })
})
