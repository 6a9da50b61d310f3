import { describe, expect, it } from 'vitest'
import { refuseTransactionControl } from './transaction-control.ts'

const refused = (named: string) =>
  expect.objectContaining({
    code: 'invalid_statement',
    message: expect.stringContaining(named) as string,
  }) as Error

describe.each(['sqlite', 'postgres'] as const)('of statements for %s', (dialect) => {
  it.each([
    'commit',
    'COMMIT;',
    ' -- done\n/* now */ Rollback to s',
    'begin immediate',
    'start transaction',
    'end',
    'abort',
    'savepoint s',
    'release s',
    "prepare transaction 'x'",
    'pragma foreign_keys = off',
    "attach 'other.db' as other",
    'detach other',
    'vacuum',
    "set search_path = 'x'",
    'reset all',
    'discard all',
    'listen x',
  ])('refuses %s and names it', (text) => {
    expect(() => refuseTransactionControl(text, dialect)).toThrow(refused(text.trim().slice(0, 80)))
  })

  it.each(['select 1; commit', 'insert into a values (1); insert into a values (2)', '', ' -- nothing\n;'])(
    'refuses %j, which is not one statement',
    (text) => {
      expect(() => refuseTransactionControl(text, dialect)).toThrow(refused('expected one statement'))
    },
  )

  it.each([
    "insert into a values ('; commit')",
    'update a set "commit" = 1 -- ; rollback',
    'with x as (select 1) select * from x;',
    'set local lock_timeout = 0',
    'pragma defer_foreign_keys = on',
    'create table begin_again (a text)',
  ])('accepts %s', (text) => {
    expect(() => refuseTransactionControl(text, dialect)).not.toThrow()
  })
})

it('accepts a trigger of SQLite as one statement, though its body begins and ends', () => {
  const trigger = 'create trigger t after insert on a begin delete from b; delete from c; end'
  expect(() => refuseTransactionControl(trigger, 'sqlite')).not.toThrow()
  expect(() => refuseTransactionControl(`${trigger}; commit`, 'sqlite')).toThrow(refused('found 2'))
})
