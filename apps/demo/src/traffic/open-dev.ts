// Starts the app with its receiver, its customers and their day before, on any platform.
import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import { type Child, KEEPSEND_SECRET_KEY, startChild } from '../child.ts'
import { OPERATOR } from '../context.ts'
import { ask } from '../http.ts'
import { App, behave, post } from '../installation.ts'
import { operatorLink } from '../sign-in.ts'
import { type Customer, type CustomerEndpoint, castOf } from './cast.ts'
import { type Past, writePast } from './past.ts'

const MIGRATIONS = new URL('../../migrations/sqlite/', import.meta.url)

/** A platform of `pnpm dev`. */
export interface DevStage {
  /** The SQLite file of the app in the folder; it is empty. */
  fileIn(folder: string): string | Promise<string>
  /** Starts the app on the folder. */
  start(folder: string, options: { port: string; signInSecret: string }): Promise<Child>
  /** Whether its sender takes private authorities of endpoints. */
  trusts: boolean
  /** The name of its worker in the dashboard. */
  workerId: string
}

export interface Dev {
  folder: string
  app: App
  receiver: Child
  cast: readonly Customer[]
  keys: Past['keys']
  /** For people, in the order in which they are printed. */
  links: readonly { name: string; url: string }[]
  /** Ends all processes. The folder is removed when this process exits. */
  stop(): Promise<void>
}

export async function openDev(stage: DevStage): Promise<Dev> {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-demo-'))
  // Runs however this process ends; its children end with it.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }))
  const cast = castOf(stage)
  const [receiver, file] = await Promise.all([
    startChild('receiver-node.ts', { env: { PORT: '0', EXPIRED: '1' } }),
    stage.fileIn(folder),
  ])
  const { url, expiredUrl = '' } = receiver.ready
  const urlOf = ({ hook, server }: CustomerEndpoint): string =>
    `${server === 'expired' ? expiredUrl : url}/hooks/${hook}`
  // The app opens it again, under its own durability.
  const db = openSqlite(file, { synchronous: 'NORMAL' })
  const past = { cast, urlOf, secretKey: KEEPSEND_SECRET_KEY, workerId: stage.workerId }
  const { keys, secrets } = await migrate(db, { directory: MIGRATIONS })
    .then(() => writePast(db, past))
    .finally(() => db.close())
  await Promise.all(
    cast.flatMap(({ endpoints }) =>
      endpoints.map(({ hook, now }) =>
        behave(receiver, hook, { secret: secrets.get(hook), ...(now && { behaviour: now }) }),
      ),
    ),
  )
  const signInSecret = randomBytes(24).toString('base64url')
  const app = new App((port) => stage.start(folder, { port, signInSecret }))
  await app.start()
  const portal = await ask<{ url: string }>(`${app.url}/portal-link`, post(keys.get('bluebird') ?? '', {}))
  const links = [
    { name: "Operator's dashboard", url: operatorLink(app.url, signInSecret) },
    { name: "Customer's portal", url: portal.url },
  ]
  const stop = async (): Promise<void> => {
    await Promise.all([app, receiver].map((one) => one.stop()))
  }
  return { folder, app, receiver, cast, keys, links, stop }
}

/** The key of the operator's API. */
export function operatorKeyOf({ keys }: Dev): string {
  return keys.get(OPERATOR) ?? ''
}
