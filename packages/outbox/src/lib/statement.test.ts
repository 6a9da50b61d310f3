import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { splitStatements } from './migrate.ts'
import { clock, raw, sqlText, toDrizzle, toSql } from './statement.ts'

describe('statements', () => {
  it('bind every value and splice only what is a statement itself', () => {
    const inner = sqlText`b = ${'?'} and c = ${null}`
    expect(sqlText`select ${raw('a')} from t where ${inner} limit ${3}`).toEqual({
      sql: 'select a from t where b = ? and c = ? limit ?',
      params: ['?', null, 3],
    })
  })

  it('keep their parameters in order in the form of drizzle', () => {
    const statement = sqlText`insert into t values (${'a?'}, ${1}, ${clock(5)})`
    const text = 'insert into t values ($1, $2, cast($3 as bigint))'
    expect(toSql(toDrizzle(statement), 'postgres')).toMatchObject({ sql: text, params: ['a?', 1, 5] })
    expect(toSql(toDrizzle(statement), 'sqlite')).toMatchObject(toSql(statement, 'sqlite'))
  })

  it('of drizzle are spelled for the database they go to', () => {
    const statement = sql`select ${1} as one`
    expect([toSql(statement, 'sqlite').sql, toSql(statement, 'postgres').sql]).toEqual([
      'select ? as one',
      'select $1 as one',
    ])
  })
})

it('a migration file is cut at the semicolons that end a line, its comments left out', () => {
  const file = "-- one; two;\ncreate table a (b text); \n  -- three\ninsert into a values ('x; y');\nselect 1"
  expect(splitStatements(file)).toEqual(['create table a (b text)', "insert into a values ('x; y')", 'select 1'])
})
