// Every mutating route, in an order in which each has what it needs. The story runs them under load; a test compares them with
// the app's route table, so that no route is missing.
import { v7 as uuidv7 } from 'uuid'

/** One request to a mutating route. */
export interface Step {
  /** Method and path, as in the route table. */
  route: string
  /** The event that the route publishes. */
  type: string
  /** The owner of the API key. @default 'workspace' */
  by?: 'operator' | 'workspace'
  /** The object of an earlier step for `:id`. */
  id?: string
  body?: (ids: Ids) => Record<string, unknown>
  /** The name under which later steps refer to the object that this one creates. */
  makes?: string
  /**
   * The change is committed separately from its event, so there is no idempotency record. `'once'`: the client sends an id, so a
   * repeat publishes no second event. `'again'`: a repeat makes a second change.
   */
  announced?: 'once' | 'again'
}

/** Ids of the objects created so far, by name. */
export type Ids = Record<string, string>

const text = (what: string): Record<string, unknown> => ({ text: `${what} ${uuidv7()}` })

export const tour: readonly Step[] = [
  {
    route: 'POST /workspaces',
    type: 'workspace.created',
    by: 'operator',
    body: () => ({ name: 'Spare' }),
    makes: 'spare',
  },
  {
    route: 'PATCH /workspaces/:id',
    type: 'workspace.renamed',
    by: 'operator',
    id: 'spare',
    body: () => ({ name: 'Spare, renamed' }),
  },
  {
    route: 'POST /workspaces/:id/api-keys',
    type: 'api_key.created',
    by: 'operator',
    id: 'spare',
    body: () => ({ name: 'CI' }),
    announced: 'again',
  },
  { route: 'DELETE /workspaces/:id', type: 'workspace.deleted', by: 'operator', id: 'spare' },
  { route: 'POST /members', type: 'member.added', body: () => ({ name: 'Ann', role: 'owner' }), makes: 'ann' },
  { route: 'POST /members', type: 'member.added', body: () => ({ name: 'Bob' }), makes: 'bob' },
  { route: 'PATCH /members/:id', type: 'member.role_changed', id: 'bob', body: () => ({ role: 'guest' }) },
  {
    route: 'POST /channels',
    type: 'channel.created',
    body: () => ({ name: 'general', topic: 'All of us' }),
    makes: 'channel',
  },
  { route: 'PATCH /channels/:id', type: 'channel.renamed', id: 'channel', body: () => ({ name: 'everyone' }) },
  {
    route: 'PUT /channels/:id/topic',
    type: 'channel.topic_set',
    id: 'channel',
    body: () => ({ topic: 'Anything goes' }),
  },
  {
    route: 'POST /channels/:id/messages',
    type: 'message.posted',
    id: 'channel',
    body: ({ ann }) => ({ authorId: ann, ...text('hello') }),
    makes: 'message',
  },
  { route: 'PATCH /messages/:id', type: 'message.edited', id: 'message', body: () => text('hello, all') },
  {
    route: 'POST /messages/:id/replies',
    type: 'reply.posted',
    id: 'message',
    body: ({ bob }) => ({ authorId: bob, ...text('hi') }),
    makes: 'reply',
  },
  { route: 'PATCH /replies/:id', type: 'reply.edited', id: 'reply', body: () => text('hi, Ann') },
  {
    route: 'POST /messages/:id/reactions',
    type: 'reaction.added',
    id: 'message',
    body: ({ bob }) => ({ memberId: bob, emoji: '👋' }),
    makes: 'reaction',
  },
  { route: 'DELETE /reactions/:id', type: 'reaction.removed', id: 'reaction' },
  { route: 'PUT /messages/:id/pin', type: 'pin.added', id: 'message' },
  { route: 'DELETE /messages/:id/pin', type: 'pin.removed', id: 'message' },
  {
    route: 'POST /conversations',
    type: 'conversation.opened',
    body: ({ ann, bob }) => ({ memberIds: [ann, bob] }),
    makes: 'conversation',
  },
  {
    route: 'POST /conversations/:id/messages',
    type: 'direct_message.sent',
    id: 'conversation',
    body: ({ bob }) => ({ authorId: bob, ...text('psst') }),
    makes: 'directMessage',
  },
  { route: 'DELETE /direct-messages/:id', type: 'direct_message.deleted', id: 'directMessage' },
  {
    route: 'POST /channels/:id/files',
    type: 'file.added',
    id: 'channel',
    body: () => ({ name: 'plan.pdf', bytes: 48_213 }),
    makes: 'file',
  },
  { route: 'PATCH /files/:id', type: 'file.renamed', id: 'file', body: () => ({ name: 'plan-2.pdf' }) },
  { route: 'DELETE /files/:id', type: 'file.removed', id: 'file' },
  {
    route: 'PUT /channels/:id/receipts/:receiptId',
    type: 'receipt.made',
    id: 'channel',
    body: ({ bob, message }) => ({ memberId: bob, messageId: message }),
    announced: 'once',
  },
  {
    route: 'PUT /channels/:id/commands/:commandId',
    type: 'command.run',
    id: 'channel',
    body: () => ({ name: '/remind', arguments: 'us tomorrow' }),
    announced: 'once',
  },
  { route: 'DELETE /replies/:id', type: 'reply.deleted', id: 'reply' },
  { route: 'DELETE /messages/:id', type: 'message.deleted', id: 'message' },
  { route: 'POST /channels/:id/archive', type: 'channel.archived', id: 'channel' },
  { route: 'POST /channels/:id/unarchive', type: 'channel.unarchived', id: 'channel' },
  { route: 'DELETE /channels/:id', type: 'channel.deleted', id: 'channel' },
  { route: 'DELETE /members/:id', type: 'member.removed', id: 'bob' },
  { route: 'DELETE /members/:id', type: 'member.removed', id: 'ann' },
]

/** Builds the request of a step. Call it once per request: a repeat must have the same ids. */
export interface StepRequest {
  method: string
  path: string
  /** JSON, the same bytes for every repeat. */
  body?: string
}

export function requestOf({ route, id, body }: Step, ids: Ids): StepRequest {
  const [method = '', pattern = ''] = route.split(' ')
  // Other parameters are ids that the client creates.
  const path = pattern.replaceAll(/:(\w+)/g, (_, param) => (param === 'id' ? (ids[id ?? ''] ?? '') : uuidv7()))
  return { method, path, ...(body && { body: JSON.stringify(body(ids)) }) }
}
