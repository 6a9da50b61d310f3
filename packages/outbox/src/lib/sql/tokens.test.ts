import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type SqlText, toDrizzle, toSql } from '../statement.ts'
import { splitStatements } from './split.ts'
import { type DialectName, tokens } from './tokens.ts'

const DIALECTS: DialectName[] = ['sqlite', 'postgres']
const RUNS = 2000

/** Content of a quoted text: any characters except its end. */
const inside = fc.string({ unit: fc.constantFrom(...Array.from(`a?;$1 '"\`[]()-/*\\\n\r\u00e9`)), maxLength: 12 })
const without = (end: RegExp) => inside.map((text) => text.replaceAll(end, ''))

/** Pieces that contain characters that look like a parameter or an end, but are neither. */
const SHARED = [
  inside.map((text) => `'${text.replaceAll("'", "''")}'`),
  inside.map((text) => `"${text.replaceAll('"', '""')}"`),
  without(/[\n\r]/g).map((text) => `-- ${text}\n`),
]
const QUIET: Record<DialectName, fc.Arbitrary<string>> = {
  sqlite: fc.oneof(
    ...SHARED,
    inside.map((text) => `\`${text.replaceAll('`', '``')}\``),
    without(/\]/g).map((text) => `[${text}]`),
    // Every `*` is removed: `**//` would contain an end.
    without(/\*/g).map((text) => `/* ${text} */`),
  ),
  postgres: fc.oneof(
    ...SHARED,
    // A comment inside a comment, and a text in which a backslash escapes the quote.
    without(/[*/]/g).map((text) => `/* ${text} /* ' */ ${text} */`),
    // With a comma after it: a text in the next line would continue it.
    inside.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}',`),
    without(/\$/g).map((text) => `$$${text}$1$$`),
    without(/\$/g).map((text) => `$tag$${text}$$ ? $tag$`),
  ),
}
const PLAIN = fc.constantFrom('select', 'a', 'x1', '=', '(1)', ',', '->', '42', '\r\n', '\t', '||')

const written = (dialect: DialectName, ...more: fc.Arbitrary<string>[]) =>
  fc.array(fc.oneof(QUIET[dialect], PLAIN, ...more), { maxLength: 12 })

describe.each(DIALECTS)('tokens of %s', (dialect) => {
  it('add up to any text', () => {
    fc.assert(
      fc.property(fc.oneof(inside, fc.string({ unit: 'binary' })), (text) => {
        const found = tokens(text, dialect)
        expect(found.map((token) => token.text).join('')).toBe(text)
        expect(found.filter((token) => token.text === '')).toEqual([])
      }),
      { numRuns: RUNS },
    )
  })

  it('include each `?` that is a parameter, and none in a quoted text, a quoted name or a comment', () => {
    fc.assert(
      fc.property(written(dialect, fc.constant('?')), (pieces) => {
        const statement: SqlText = {
          sql: pieces.join(' '),
          params: pieces.filter((piece) => piece === '?').map(() => 1),
        }
        let number = 0
        const numbered = pieces.map((piece) => (piece === '?' ? `$${++number}` : piece)).join(' ')
        const rendered = toSql(toDrizzle(statement, dialect), dialect)
        const expected = dialect === 'postgres' ? numbered : statement.sql
        expect([toSql(statement, dialect).sql, rendered.sql]).toEqual([expected, expected])
      }),
      { numRuns: RUNS },
    )
  })

  it('end a statement at each `;` that ends one, and nowhere else', () => {
    const statement = fc
      .tuple(fc.constantFrom('select', 'create table t (a)'), written(dialect))
      .map(([first, pieces]) => [first, ...pieces, 'x'].join(' '))
    fc.assert(
      fc.property(fc.array(statement, { maxLength: 4 }), QUIET[dialect], (statements, between) => {
        const isComment = /^(--|\/\*)/.test(between)
        const text = statements.map((one) => `\r\n ${isComment ? between : ''}${one};`).join('')
        expect(splitStatements(text, dialect).map((one) => one.text)).toEqual(statements)
      }),
      { numRuns: RUNS },
    )
  })
})

describe('tokens of Postgres', () => {
  const spelled = (sql: string, given = 1) =>
    toSql({ sql, params: Array.from({ length: given }, () => 'v') }, 'postgres').sql

  it.each([
    ["insert into notes values (?, 'really?')", "insert into notes values ($1, 'really?')"],
    ['select a ?| b, c ?& d, e @? f where id = ?', 'select a ?| b, c ?& d, e @? f where id = $1'],
    ["select data ?? 'key', a ??| b where id=?", "select data ? 'key', a ?| b where id=$1"],
    ['select a=?||b', 'select a=$1||b'],
    ['select flags =?|4', 'select flags =$1|4'],
    ['select ?::jsonb -> 1', 'select $1::jsonb -> 1'],
    ["select E'it\\'s ?', ?", "select E'it\\'s ?', $1"],
    ["select E'a'\n'b\\'?', ?", "select E'a'\n'b\\'?', $1"],
    ["select 'a\\', ?", "select 'a\\', $1"],
    ['select a$b$, ? as "c?$$"', 'select a$b$, $1 as "c?$$"'],
    ['select $q$ ? $$ ? $q$, ?', 'select $q$ ? $$ ? $q$, $1'],
    ['select /* ? /* ? */ ? */ ? -- ?', 'select /* ? /* ? */ ? */ $1 -- ?'],
  ])('%s is spelled %s', (text, numbered) => {
    expect(spelled(text)).toBe(numbered)
  })

  it('stay unchanged in a text that numbers its parameters or has none', () => {
    expect(spelled("select data ? 'key' where id = $1")).toBe("select data ? 'key' where id = $1")
    expect(spelled("select data ? 'a', '??'", 0)).toBe("select data ? 'a', '??'")
    expect(spelled("select data ?? 'a'", 0)).toBe("select data ? 'a'")
    expect(spelled("select '$1', ?")).toBe("select '$1', $1")
  })

  it('refuse a wrong number of values, and explain how to write the operator', () => {
    const refused = expect.objectContaining({
      code: 'invalid_statement',
      message: expect.stringContaining('needs 2 values and got 1') as string,
    }) as Error
    expect(() => spelled("select data ? 'key' where id = ?")).toThrow(refused)
    expect(() => spelled('select $1, $2')).toThrow(refused)
  })

  it('split a text with ten thousand parameters in one pass', () => {
    const list = (one: (index: number) => string) => Array.from({ length: 10_000 }, (_, index) => one(index)).join()
    expect(
      spelled(
        list(() => '?'),
        10_000,
      ),
    ).toBe(list((index) => `$${index + 1}`))
  })
})

describe('statements of a text', () => {
  const split = (text: string, dialect: DialectName = 'sqlite') => splitStatements(text, dialect).map((one) => one.text)

  it('end at `;` whatever surrounds it, and keep their own text', () => {
    const file = [
      '\ufeff-- one; two;',
      'create table a (b text); create table c (d text) -- with; a comment',
      ";/* ; */ insert into a values ('x; y\n-- no comment');;",
      'select 1',
    ].join('\r\n')
    for (const dialect of DIALECTS) {
      expect(split(file, dialect)).toEqual([
        'create table a (b text)',
        'create table c (d text)',
        "insert into a values ('x; y\n-- no comment')",
        'select 1',
      ])
    }
  })

  it('include a trigger of SQLite with its body', () => {
    const trigger = `create trigger if not exists t after update on a begin
      insert into c select case when new.b = 'end;' then 1 end; -- end;
      delete from c where "end" = 1;
    END`
    const temporary = 'create temp trigger u after insert on a begin select 1; end'
    expect(split(`${trigger};${temporary};select 2;`)).toEqual([trigger, temporary, 'select 2'])
  })

  it('include a function, a procedure and a rule of Postgres with its body', () => {
    const texts = [
      'create function f() returns trigger as $$ begin new.a := 1; return new; end; $$ language plpgsql',
      'create or replace function g() returns int begin atomic select 1; select case when true then 2 end; end',
      'create procedure p() begin atomic insert into a values (1); end',
      'create rule r as on insert to a do also (insert into c values (1); insert into c values (2))',
      'create trigger t before update on a for each row execute function f()',
      "comment on table a is E'it\\'s; so'",
    ]
    expect(split(texts.join(';\n'), 'postgres')).toEqual(texts)
  })
})
