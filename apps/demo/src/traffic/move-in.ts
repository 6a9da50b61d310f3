import type { Endpoint, Engine } from '@keepsend/engine'
import { sqlText } from '@keepsend/outbox/internal'
import { OPERATOR } from '../context.ts'
import type { Customer, CustomerEndpoint } from './cast.ts'

export interface MoveInOptions {
  cast: readonly Customer[]
  urlOf: (endpoint: CustomerEndpoint) => string
}

export interface MovedIn {
  /** API keys, by workspace; the operator's too. */
  keys: Map<string, string>
  /** The secrets that the receiver verifies with, by hook. */
  secrets: Map<string, string>
  /** By hook. */
  endpoints: Map<string, Endpoint>
}

/** Creates the workspaces of the customers, their API keys and their endpoints. */
export async function moveIn(engine: Engine, { cast, urlOf }: MoveInOptions): Promise<MovedIn> {
  const keys = new Map<string, string>()
  const secrets = new Map<string, string>()
  const endpoints = new Map<string, Endpoint>()
  keys.set(OPERATOR, (await engine.apiKeys.create({ workspaceId: OPERATOR, name: 'first' })).key)
  for (const { id: workspaceId, name, endpoints: wanted } of cast) {
    await engine.db.run(sqlText`
      insert into workspaces (id, name, created_at) values (${workspaceId}, ${name}, ${new Date().toISOString()})`)
    keys.set(workspaceId, (await engine.apiKeys.create({ workspaceId, name: 'Server', by: 'dana' })).key)
    for (const one of wanted) {
      const input = { ...one.input, url: urlOf(one) }
      const { endpoint, secret } = await engine.endpoints.create(workspaceId, input, { by: 'dana' })
      endpoints.set(one.hook, endpoint)
      secrets.set(one.hook, secret)
    }
  }
  return { keys, secrets, endpoints }
}
