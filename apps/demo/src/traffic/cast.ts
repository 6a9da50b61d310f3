// The customers of `pnpm dev`: three workspaces, and how the receivers behind their endpoints have behaved since yesterday.
import { readFileSync } from 'node:fs'
import type { EndpointInput } from '@keepsend/engine'
import type { Behaviour } from '../receiver.ts'

export interface Customer {
  id: string
  name: string
  endpoints: readonly CustomerEndpoint[]
}

export interface CustomerEndpoint {
  /** The name of its hook at the receiver. */
  hook: string
  input: Omit<EndpointInput, 'url'>
  /** Which of the receiver's two servers it points to. @default 'http' */
  server?: 'http' | 'expired'
  /** How it answered, that many hours ago. */
  past: (hoursAgo: number) => PastAnswer
  /** How the receiver behaves from now on. @default it accepts everything immediately */
  now?: Behaviour
  /** Its secret was rotated that many hours ago, and its receiver still verifies with the old one. */
  rotatedHoursAgo?: number
}

/** An answer of the day before: its status, or the class of the error, after `tookMs` ms. */
export type PastAnswer =
  | { status: number; body?: string; tookMs: number }
  | { error: 'timeout' | 'tls'; message: string; tookMs: number }

/** The answer that the receiver gives to a wrong signature. */
const WRONG_SIGNATURE = 'the signature does not match'

const MIGRATION = 'error: relation "patient_events" does not exist\n    at migrate (/srv/records/migrate.js:41:11)'
const NOT_STORED = '{"error":"unprocessable","detail":"field \\"text\\" is longer than 280 characters"}'
const ok = (tookMs: number): PastAnswer => ({ status: 204, tookMs })

const ledger = { description: 'Ledger', eventTypes: ['message.posted', 'channel.*'] }

/** Its certificate has expired. */
const LEDGER_EXPIRED: CustomerEndpoint = {
  hook: 'juniper-ledger',
  input: { ...ledger, tls: { ca: certificate() } },
  server: 'expired',
  past: (hoursAgo) =>
    hoursAgo > 2 ? ok(75) : { error: 'tls', message: 'its certificate has expired: renew it', tookMs: 12 },
}

/** It is no longer at its address: for Workers, whose local runtime logs each bad certificate as an error of its own. */
const LEDGER_MOVED: CustomerEndpoint = {
  hook: 'juniper-ledger',
  input: ledger,
  past: (hoursAgo) => (hoursAgo > 2 ? ok(75) : { status: 404, body: 'no such page', tookMs: 18 }),
  now: { kind: 'fail', status: 404, body: 'no such page' },
}

/** @param trusts whether endpoints may trust a private authority, which senders on Workers cannot */
export function castOf({ trusts }: { trusts: boolean }): readonly Customer[] {
  return [
    {
      id: 'bluebird',
      name: 'Bluebird Logistics',
      endpoints: [
        {
          hook: 'bluebird-inbox',
          input: { description: 'Inbox', eventTypes: ['message.*', 'reply.*'] },
          past: () => ok(62),
        },
        {
          hook: 'bluebird-crm',
          input: { description: 'CRM', eventTypes: ['member.*', 'conversation.*', 'direct_message.sent'] },
          rotatedHoursAgo: 3,
          past: (hoursAgo) => (hoursAgo > 3 ? ok(118) : { status: 401, body: WRONG_SIGNATURE, tookMs: 31 }),
        },
        {
          hook: 'bluebird-archive',
          input: { description: 'Archive, 20 a minute', eventTypes: ['file.*'], rateLimit: 20, ratePeriod: 'minute' },
          past: () => ok(240),
        },
      ],
    },
    {
      id: 'juniper',
      name: 'Juniper Bank',
      endpoints: [
        { hook: 'juniper-audit', input: { description: 'Audit log' }, past: () => ok(44) },
        {
          hook: 'juniper-warehouse',
          input: { description: 'Warehouse', eventTypes: ['message.*', 'reaction.*'] },
          // For an hour it refused what it could not store.
          past: (hoursAgo) =>
            hoursAgo < 11 && hoursAgo > 10 ? { status: 422, body: NOT_STORED, tookMs: 90 } : ok(2400),
          now: { kind: 'stall', ms: 2500 },
        },
        trusts ? LEDGER_EXPIRED : LEDGER_MOVED,
      ],
    },
    {
      id: 'lumen-clinic',
      name: 'Lumen Clinic',
      endpoints: [
        {
          hook: 'lumen-front-desk',
          input: { description: 'Front desk', eventTypes: ['message.*', 'direct_message.*'] },
          past: () => ok(85),
        },
        {
          hook: 'lumen-records',
          input: { description: 'Patient records', eventTypes: ['member.*', 'pin.*', 'reply.*'] },
          past: (hoursAgo) => (hoursAgo > 5 ? ok(130) : { status: 503, body: MIGRATION, tookMs: 55 }),
          now: { kind: 'fail', status: 503, body: MIGRATION },
        },
        {
          hook: 'lumen-pager',
          input: { description: 'Pager', eventTypes: ['command.run', 'receipt.made'] },
          past: (hoursAgo) =>
            hoursAgo > 2.5 ? ok(320) : { error: 'timeout', message: 'no answer within 5 s', tookMs: 5000 },
          now: { kind: 'stall' },
        },
        {
          hook: 'lumen-old-site',
          input: { description: 'Old website', eventTypes: ['channel.archived', 'channel.unarchived'] },
          past: (hoursAgo) => (hoursAgo > 20 ? ok(210) : { status: 410, tookMs: 20 }),
          now: { kind: 'fail', status: 410 },
        },
      ],
    },
  ]
}

/** Of the receiver's second server, which has signed it itself. */
function certificate(): string {
  const file = readFileSync(new URL('../../certificates/expired.pem', import.meta.url), 'utf8')
  return file.slice(file.indexOf('-----BEGIN CERTIFICATE'))
}
