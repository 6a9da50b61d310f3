import { expect } from 'vitest'
import { applyMigrations } from '../migrate.ts'
import { migrateOutbox, outboxMigrations } from '../migrations.ts'
import { type Holds, findAll, insertRows } from './fixtures.ts'

const table = (name: string) => `create table ${name} (id text not null primary key);`
const has = (name: string) => ({ sql: `select id from ${name}`, params: [] })

export function migratePromises(holds: Holds): void {
  holds('a second migration applies nothing and leaves every row', async ({ db, rival }) => {
    await insertRows(db, 3)
    expect(await migrateOutbox(db)).toEqual([])
    expect(await migrateOutbox(rival)).toEqual([])
    expect(await findAll(db)).toHaveLength(3)
  })

  holds('a migrated database is asked once for all of them', async ({ db }) => {
    let statements = 0
    const counted: typeof db = {
      ...db,
      run(statement) {
        statements++
        return db.run(statement)
      },
    }
    const migrations = ['one', 'two', 'three'].map((name) => ({ name: `test/${name}`, sql: table(name) }))
    await applyMigrations(db, migrations)
    expect(await applyMigrations(counted, migrations)).toEqual([])
    expect(statements).toBe(2)
  })

  holds('migrations are applied in order, each once, and named', async ({ db }) => {
    const one = { name: 'test/0001', sql: table('one') }
    const two = { name: 'test/0002', sql: "insert into one (id) values ('x');\n" }
    expect(await applyMigrations(db, [one])).toEqual(['test/0001'])
    expect(await applyMigrations(db, [one, two])).toEqual(['test/0002'])
    expect(await applyMigrations(db, [one, two])).toEqual([])
    expect((await db.run(has('one'))).rows).toEqual([{ id: 'x' }])
  })

  holds('a migration may have any layout, and its quoted texts are stored unchanged', async ({ db }) => {
    const note = 'one; two\n-- three\r\nfour'
    const sql = [
      '/* ; */ create table notes (id text not null primary key, text text not null); -- a comment; of two',
      `create table more (id text not null primary key);insert into notes values ('a', '${note}');`,
      "insert into notes values ('b', 'is it ?')",
    ].join('\r\n')
    await applyMigrations(db, [{ name: 'test/0001', sql }])
    expect((await db.run({ sql: 'select id, text from notes order by id', params: [] })).rows).toEqual([
      { id: 'a', text: note },
      { id: 'b', text: 'is it ?' },
    ])
    expect((await db.run(has('more'))).rows).toEqual([])
  })

  holds('a trigger of a migration is one statement', async ({ db }) => {
    const made =
      db.dialect.name === 'sqlite'
        ? `create trigger copied after insert on one begin
             insert into two (id) values (case when new.id = 'end;' then 'x' else new.id end);
             insert into two (id) values (new.id || '; end');
           end;`
        : `create function copy_one() returns trigger as $$ begin
             insert into two (id) values (new.id); insert into two (id) values (new.id || '; end');
             return null;
           end; $$ language plpgsql;
           create trigger copied after insert on one for each row execute function copy_one();`
    const sql = `${table('one')} ${table('two')}\n${made}\ninsert into one (id) values ('a');\n`
    await applyMigrations(db, [{ name: 'test/0001', sql }])
    const { rows } = await db.run({ sql: 'select id from two order by length(id)', params: [] })
    expect(rows).toEqual([{ id: 'a' }, { id: 'a; end' }])
  })

  holds(
    'a migration that was changed after it was applied is refused by name, unless only line endings differ',
    async ({ db }) => {
      const one = { name: 'test/0001', sql: `${table('one')}\n-- one\n` }
      await applyMigrations(db, [one])
      expect(await applyMigrations(db, [{ ...one, sql: one.sql.replaceAll('\n', '\r\n') }])).toEqual([])
      const changed = applyMigrations(db, [
        { ...one, sql: table('other') },
        { name: 'test/0002', sql: table('two') },
      ])
      await expect(changed).rejects.toMatchObject({
        code: 'not_accepted',
        message: expect.stringContaining('test/0001 was applied with another text') as string,
      })
      await expect(db.run(has('two'))).rejects.toThrow(/no such table|does not exist/)
    },
  )

  holds('a migration that begins or ends a transaction is refused, and nothing of it is committed', async ({ db }) => {
    const sql = `${table('one')} commit; ${table('two')}`
    await expect(applyMigrations(db, [{ name: 'test/0001', sql }])).rejects.toThrow(/test\/0001.*commit cannot/)
    await expect(db.run(has('one'))).rejects.toThrow(/no such table|does not exist/)
  })

  holds('a migration that fails in the middle commits nothing and can be repeated', async ({ db }) => {
    const broken = { name: 'test/0001', sql: `${table('one')}\n${table('two')}\ninsert into two (id) values (null);\n` }
    await expect(applyMigrations(db, [{ name: 'test/0000', sql: table('zero') }, broken])).rejects.toThrow(/test\/0001/)
    expect((await db.run(has('zero'))).rows).toEqual([])
    await expect(db.run(has('one'))).rejects.toThrow(/no such table|does not exist/)
    await expect(db.run(has('two'))).rejects.toThrow(/no such table|does not exist/)
    expect(await applyMigrations(db, [{ ...broken, sql: table('one') }])).toEqual(['test/0001'])
  })

  holds('two processes that migrate concurrently apply each migration once', async ({ db, rival }) => {
    const migrations = [1, 2, 3].map((n) => ({
      name: `test/000${n}`,
      sql: `${table(`t${n}`)}\ninsert into t${n} (id) values ('x');\n`,
    }))
    const both = await Promise.all([db, rival].map((one) => applyMigrations(one, migrations)))
    expect(both.flat().sort()).toEqual(['test/0001', 'test/0002', 'test/0003'])
    for (const n of [1, 2, 3]) expect((await rival.run(has(`t${n}`))).rows).toEqual([{ id: 'x' }])
  })

  holds('the names of the migrations are the recorded ones', async ({ db }) => {
    expect(outboxMigrations(db.dialect.name)[0]?.name).toBe('outbox/0001_pending_events')
  })
}
