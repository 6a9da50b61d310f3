// The types of events that the app publishes: each mutating route publishes its own.
import { type EventOf, defineEvents, event } from '@keepsend/engine'
import { z } from 'zod'

const at = z.iso.datetime()
const id = z.string()
const owned = { id, workspaceId: id }
const edited = { text: z.string(), createdAt: at, editedAt: at.nullable() }

const workspace = z.object({ id, name: z.string(), createdAt: at })
const apiKey = z.object({ ...owned, name: z.string() })
const member = z.object({ ...owned, name: z.string(), role: z.enum(['owner', 'member', 'guest']), createdAt: at })
const channel = z.object({ ...owned, name: z.string(), topic: z.string(), archived: z.boolean(), createdAt: at })
const message = z.object({ ...owned, channelId: id, authorId: id, ...edited })
const reply = z.object({ ...owned, messageId: id, authorId: id, ...edited })
const reaction = z.object({ ...owned, messageId: id, memberId: id, emoji: z.string(), createdAt: at })
const pin = z.object({ ...owned, messageId: id, createdAt: at })
const conversation = z.object({ ...owned, firstMemberId: id, secondMemberId: id, createdAt: at })
const directMessage = z.object({ ...owned, conversationId: id, authorId: id, text: z.string(), createdAt: at })
const file = z.object({ ...owned, channelId: id, name: z.string(), bytes: z.int(), createdAt: at })
const receipt = z.object({ ...owned, channelId: id, memberId: id, messageId: id, readAt: at })
const command = z.object({ ...owned, channelId: id, name: z.string(), arguments: z.string(), createdAt: at })

const createdAt = '2026-11-23T12:00:00.000Z'
const acme = { workspaceId: 'acme' }
const general = { ...acme, id: 'general', name: 'general', topic: 'All of us', archived: false, createdAt }
const hello = { ...acme, id: 'm1', channelId: 'general', authorId: 'ann', text: 'hello', createdAt, editedAt: null }
const hi = { ...acme, id: 'r1', messageId: 'm1', authorId: 'bob', text: 'hi', createdAt, editedAt: null }
const bob = { ...acme, id: 'bob', name: 'Bob', role: 'member' as const, createdAt }
const wave = { ...acme, id: 'x1', messageId: 'm1', memberId: 'bob', emoji: '👋', createdAt }
const pinned = { ...acme, id: 'p1', messageId: 'm1', createdAt }
const psst = { ...acme, id: 'd1', conversationId: 'c1', authorId: 'bob', text: 'psst', createdAt }
const plan = { ...acme, id: 'f1', channelId: 'general', name: 'plan.pdf', bytes: 48_213, createdAt }

export const catalog = defineEvents(
  {
    'workspace.created': event({
      schema: workspace,
      description: 'The operator created a workspace.',
      example: { id: 'acme', name: 'Acme', createdAt },
    }),
    'workspace.renamed': event({
      schema: workspace,
      description: 'The operator renamed a workspace.',
      example: { id: 'acme', name: 'Acme Ltd', createdAt },
    }),
    'workspace.deleted': event({
      schema: workspace,
      description: 'The operator deleted a workspace.',
      example: { id: 'acme', name: 'Acme', createdAt },
    }),
    'api_key.created': event({
      schema: apiKey,
      description: 'A workspace got an API key; the key itself is only in the response.',
      example: { ...acme, id: 'key_1', name: 'CI' },
    }),
    'member.added': event({ schema: member, description: 'A member joined the workspace.', example: bob }),
    'member.role_changed': event({
      schema: member,
      description: 'A member has another role.',
      example: { ...bob, role: 'guest' },
    }),
    'member.removed': event({ schema: member, description: 'A member left the workspace.', example: bob }),
    'channel.created': event({ schema: channel, description: 'A channel was created.', example: general }),
    'channel.renamed': event({
      schema: channel,
      description: 'A channel has another name.',
      example: { ...general, name: 'everyone' },
    }),
    'channel.topic_set': event({
      schema: channel,
      description: 'A channel has another topic.',
      example: { ...general, topic: 'Anything goes' },
    }),
    'channel.archived': event({
      schema: channel,
      description: 'A channel takes no more messages.',
      example: { ...general, archived: true },
    }),
    'channel.unarchived': event({ schema: channel, description: 'A channel takes messages again.', example: general }),
    'channel.deleted': event({ schema: channel, description: 'A channel was deleted.', example: general }),
    'message.posted': event({ schema: message, description: 'A message was posted in a channel.', example: hello }),
    'message.edited': event({
      schema: message,
      description: 'A message has another text.',
      example: { ...hello, text: 'hello, all', editedAt: createdAt },
    }),
    'message.deleted': event({ schema: message, description: 'A message was deleted.', example: hello }),
    'reply.posted': event({ schema: reply, description: 'A message was answered.', example: hi }),
    'reply.edited': event({
      schema: reply,
      description: 'A reply has another text.',
      example: { ...hi, text: 'hi, Ann', editedAt: createdAt },
    }),
    'reply.deleted': event({ schema: reply, description: 'A reply was deleted.', example: hi }),
    'reaction.added': event({ schema: reaction, description: 'A member reacted to a message.', example: wave }),
    'reaction.removed': event({ schema: reaction, description: 'A member took a reaction off.', example: wave }),
    'pin.added': event({ schema: pin, description: 'A message was pinned.', example: pinned }),
    'pin.removed': event({ schema: pin, description: 'A message is no longer pinned.', example: pinned }),
    'conversation.opened': event({
      schema: conversation,
      description: 'Two members can write to each other.',
      example: { ...acme, id: 'c1', firstMemberId: 'ann', secondMemberId: 'bob', createdAt },
    }),
    'direct_message.sent': event({ schema: directMessage, description: 'A direct message was sent.', example: psst }),
    'direct_message.deleted': event({
      schema: directMessage,
      description: 'A direct message was deleted.',
      example: psst,
    }),
    'file.added': event({
      schema: file,
      description: 'A file was added to a channel.',
      example: plan,
    }).olderVersion('2026-01', {
      schema: file.omit({ bytes: true }).extend({ kilobytes: z.int() }),
      convert: ({ bytes, ...newer }) => ({ ...newer, kilobytes: Math.ceil(bytes / 1000) }),
    }),
    'file.renamed': event({
      schema: file,
      description: 'A file has another name.',
      example: { ...plan, name: 'plan-2.pdf' },
    }),
    'file.removed': event({ schema: file, description: 'A file was removed.', example: plan }),
    'receipt.made': event({
      schema: receipt,
      description: 'A member has read a channel up to a message.',
      example: { ...acme, id: 'rc1', channelId: 'general', memberId: 'bob', messageId: 'm1', readAt: createdAt },
    }),
    'command.run': event({
      schema: command,
      description: 'A slash command was run in a channel.',
      example: { ...acme, id: 'cm1', channelId: 'general', name: '/remind', arguments: 'us tomorrow', createdAt },
    }),
  },
  { versions: ['2026-01', '2026-11'] },
)

export type Catalog = typeof catalog

/** An event of the app: its type and the data that belongs to it. */
export type AppEvent = Extract<EventOf<Catalog>, { data: object }>
