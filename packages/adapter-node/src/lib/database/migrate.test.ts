import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { migrate, openSqlite } from '../../index.ts'
import { PATIENCE_MS, temporaryFile } from '../../../test/rig.ts'

function open(file: string) {
  const db = openSqlite(file)
  onTestFinished(() => db.close())
  return db
}

/** A folder with the app's own files, written in random order, and one that is not a migration. */
function appFolder(files: Record<string, string>): string {
  const folder = join(dirname(temporaryFile()), 'migrations')
  mkdirSync(folder)
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(folder, name), sql)
  return folder
}

const APP = {
  '0002_replies.sql': 'alter table messages add column reply_to text;\n',
  '0001_messages.sql': '-- What people say.\ncreate table messages (id text primary key, text text not null);\n',
  'readme.txt': 'not SQL',
}

describe('migrate', { timeout: PATIENCE_MS }, () => {
  it("applies Keepsend's migrations, then the app's folder in the order of its names", async () => {
    const db = open(temporaryFile())
    const applied = await migrate(db, { directory: appFolder(APP) })
    expect(applied.slice(-2)).toEqual(['app/0001_messages', 'app/0002_replies'])
    const ours = applied.slice(0, -2).map((name) => name.split('/')[0])
    expect(new Set(ours)).toEqual(new Set(['outbox', 'engine']))
    await db.run({ sql: "insert into messages values ('m1', 'hello', null)", params: [] })
  })

  it('accepts the folder as a file URL too', async () => {
    const applied = await migrate(open(temporaryFile()), { directory: pathToFileURL(appFolder(APP)) })
    expect(applied).toContain('app/0002_replies')
  })

  it('applies nothing the second time, and only new files the third', async () => {
    const db = open(temporaryFile())
    const directory = appFolder(APP)
    await migrate(db, { directory })
    expect(await migrate(db, { directory })).toEqual([])
    writeFileSync(join(directory, '0003_pins.sql'), 'create table pins (message text primary key);\n')
    expect(await migrate(db, { directory })).toEqual(['app/0003_pins'])
  })

  it('applies each migration once when several connections migrate concurrently', async () => {
    const file = temporaryFile()
    const directory = appFolder(APP)
    const applied = await Promise.all([1, 2, 3, 4].map(() => migrate(open(file), { directory })))
    const names = applied.flat()
    expect(new Set(names).size).toBe(names.length)
    expect(names).toContain('app/0002_replies')
  })

  it('names a failed file and rolls it back; earlier files stay applied', async () => {
    const db = open(temporaryFile())
    const broken = { ...APP, '0002_replies.sql': 'create table half (id text);\ninsert into nowhere values (1);\n' }
    await expect(migrate(db, { directory: appFolder(broken) })).rejects.toThrow('app/0002_replies')
    const tables = db.connection
      .prepare("select name from sqlite_master where name in ('half', 'messages')")
      .pluck()
      .all()
    expect(tables).toEqual(['messages'])
  })

  it('refuses a missing folder by its name, before anything is applied', async () => {
    const db = open(temporaryFile())
    await expect(migrate(db, { directory: '/nowhere/at/all' })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringMatching(
        /^directory must be a folder of \.sql files; \/nowhere\/at\/all cannot be read/,
      ) as string,
    })
    expect(db.connection.prepare('select name from sqlite_master').all()).toEqual([])
  })

  it('refuses a file that was changed after it was applied, and applies no later file', async () => {
    const db = open(temporaryFile())
    await migrate(db, { directory: appFolder(APP) })
    const changed = { ...APP, '0001_messages.sql': 'create table messages (id text);', '0003_pins.sql': 'select 1;' }
    await expect(migrate(db, { directory: appFolder(changed) })).rejects.toThrow(
      'migration app/0001_messages was applied with another text',
    )
    expect(await migrate(db, { directory: appFolder(APP) })).toEqual([])
  })
})
