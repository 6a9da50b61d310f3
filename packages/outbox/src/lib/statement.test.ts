import { sql } from 'drizzle-orm'
import { describe, expect, it } from 'vitest'
import { type SqlText, clock, raw, sqlText, template, toDrizzle, toSql } from './statement.ts'

describe('statements', () => {
  it('of a template have one text, and each value where its stand-in was bound', () => {
    const bind = template(2, ([one = '', other = '']) => sqlText`${other}, ${one}, ${other}`)
    expect([bind(['a', 1]), bind(['b', null])]).toEqual([
      { sql: '?, ?, ?', params: [1, 'a', 1] },
      { sql: '?, ?, ?', params: [null, 'b', null] },
    ])
    expect(() => template(1, ([one = '']) => sqlText`${`${one}.`}`)).toThrow('a template binds stand-in 0.')
  })

  it('bind every value, and insert only statements as text', () => {
    const inner = sqlText`b = ${'?'} and c = ${null}`
    expect(sqlText`select ${raw('a')} from t where ${inner} limit ${3}`).toEqual({
      sql: 'select a from t where b = ? and c = ? limit ?',
      params: ['?', null, 3],
    })
  })

  it("keep the order of their parameters in drizzle's form", () => {
    const statement = sqlText`insert into t values (${'a?'}, ${1}, ${clock(5)})`
    const text = 'insert into t values ($1, $2, cast($3 as bigint))'
    expect(toSql(toDrizzle(statement), 'postgres')).toMatchObject({ sql: text, params: ['a?', 1, 5] })
    expect(toSql(toDrizzle(statement), 'sqlite')).toMatchObject(toSql(statement, 'sqlite'))
  })

  it('number their parameters for Postgres, and leave a text unchanged that numbers them itself or has none', () => {
    const spelled = (statement: SqlText) => toSql(statement, 'postgres').sql
    expect(spelled(sqlText`select ${'?'} where a = ${1}`)).toBe('select $1 where a = $2')
    expect(spelled({ sql: "select data ? 'key' from t where id = $1", params: ['a'] })).toBe(
      "select data ? 'key' from t where id = $1",
    )
    expect(spelled({ sql: "select data ? 'key' from t", params: [] })).toBe("select data ? 'key' from t")
    const texts = Array.from({ length: 1200 }, (_, n) => ({ sql: `select ${n} = ?`, params: [n] }))
    expect(texts.map((one) => spelled(one))).toEqual(texts.map((_, n) => `select ${n} = $1`))
  })

  it('of drizzle are rendered for their database', () => {
    const statement = sql`select ${1} as one`
    expect([toSql(statement, 'sqlite').sql, toSql(statement, 'postgres').sql]).toEqual([
      'select ? as one',
      'select $1 as one',
    ])
  })
})
