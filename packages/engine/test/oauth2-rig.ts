import type { EndpointInput, SendRequest } from '../src/index.ts'
import { type Answer, receivers, rig } from './rig.ts'

export const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const tokenUrl = 'https://login.example.com/token'
export const auth = { type: 'oauth2', tokenUrl, clientId: 'c', clientSecret: 's3cret-of-c' } as const

/** The answer of the token server: in full, or only the properties of a token. */
export interface Grant {
  answer?: Answer
  token?: string
  expires_in?: unknown
}

/** An engine with one endpoint that uses access tokens, its receiver, and its token server, which issues t1, t2 and so on. */
export async function world(
  options: Parameters<typeof rig>[0] & {
    grant?: (count: number) => Grant | Promise<Grant>
    respond?: (request: SendRequest) => Answer | Promise<Answer>
    endpoint?: Partial<EndpointInput>
    noEndpoint?: boolean
  } = {},
) {
  const { grant = () => ({}), endpoint, noEndpoint, respond = () => 200, ...rest } = options
  const asked: SendRequest[] = []
  const received: SendRequest[] = []
  const sender = {
    async send(request: SendRequest) {
      const isForToken = request.url === tokenUrl
      const all = isForToken ? asked : received
      all.push(request)
      const answer = isForToken ? await granted(grant(asked.length)) : await respond(request)
      return receivers(() => answer).send(request)
    },
  }
  async function granted(given: Grant | Promise<Grant>): Promise<Answer> {
    const count = asked.length
    const said = await given
    if (said.answer !== undefined) return said.answer
    const { token = `t${count}`, expires_in = 3600 } = said
    return { status: 200, body: JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in }) }
  }
  const made = await rig({ ...rest, sender })
  const id = noEndpoint ? '' : (await made.addEndpoint({ auth, ...endpoint })).id
  return {
    ...made,
    id,
    asked,
    received,
    /** The tokens that the receiver saw. */
    tokens: () => received.map(({ headers }) => headers['authorization']?.replace('Bearer ', '')),
    send: async (now?: number) => {
      await made.engine.publish(event)
      return made.work(now === undefined ? {} : { now })
    },
    /** The token in the row, once it is written. */
    stored: async () => (await made.select("select token from keepsend_secrets where scheme = 'auth'"))[0]?.['token'],
  }
}
