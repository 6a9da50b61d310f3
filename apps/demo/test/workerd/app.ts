import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { migrateEngine } from '@keepsend/engine'
import { applyMigrations } from '@keepsend/outbox/internal'
import { fromD1 } from '@keepsend/outbox/d1'
import messaging from '../../migrations/sqlite/0001_messaging.sql?raw'
import { meterD1 } from '../../src/metered-d1.ts'
import { type TestApp, openAppOn } from '../app-on.ts'

/** The app on a fresh D1. */
export async function openApp(): Promise<TestApp> {
  await reset()
  const { d1, rowsWritten } = meterD1(env.DB)
  const db = fromD1(d1)
  await migrateEngine(db)
  await applyMigrations(db, [{ name: 'app/0001_messaging', sql: messaging }])
  return openAppOn({
    db,
    async look(sql, ...params) {
      const { results } = await env.DB.prepare(sql)
        .bind(...params)
        .all()
      return results
    },
    version: () => Object.values(rowsWritten).reduce((sum, rows) => sum + rows, 0),
    close() {},
  })
}
