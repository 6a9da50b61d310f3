import type { Message } from './message.ts'

/** The texts of the customers' portal: they speak to the customer as "you", and of the sender by its name. */
export const enPortal = {
  'portal.webhooks': 'Webhooks',
  'portal.back': 'Back to {sender}',
  'portal.managing': 'You are managing the webhooks of {workspace}.',
  'portal.read_only': 'You can look, but not change anything.',
  'portal.title': '{title} · {sender} webhooks',

  'portal.expired': 'This link has expired',
  'portal.expired_why':
    'Links to this page end after a while, so that nobody can use an old one. Your endpoints and deliveries are as you left them.',
  'portal.expired_mail': 'A link from a mail or a chat opens only once, and its sender can end it.',
  'portal.open_in': 'Open webhooks in {sender}',
  'portal.enter': 'Open your webhooks',
  'portal.enter_why': 'This link works once. It ends {time}.',
  'portal.enter_button': 'Open webhooks',
  'portal.framed': 'Open webhooks in a new tab',
  'portal.framed_why': 'Your browser does not let this page sign you in inside of another one.',
  'portal.framed_button': 'Open in a new tab',
  'portal.not_found': 'There is nothing here',
  'portal.not_found_why':
    'The endpoint or delivery does not exist any more, or it belongs to another account than the one this link is for.',
  'portal.your_endpoints': 'Your endpoints',

  'portal.endpoints_what': '{sender} sends events to these URLs.',
  'portal.column_day': 'Last 24 hours',
  'portal.column_delivered': 'Delivered',
  'portal.column_note': 'Of note',
  'portal.all_events': 'all events',
  'portal.types': { one: '{n} event type', other: '{n} event types' },
  'portal.note_failed': { one: '{n} failed', other: '{n} failed' },
  'portal.note_all': 'all delivered',
  'portal.note_none': 'nothing sent',
  'portal.disabled_by': 'disabled, {why}',

  'portal.empty': 'Know the moment something happens',
  'portal.empty_what':
    'Give {sender} a URL, choose the events that you care about, and each one arrives there as a signed POST request, within a second or so.',
  'portal.add_first': 'Add your first endpoint',
  'portal.see_events': 'See the event types',
  'portal.no_server': 'No server yet?',
  'portal.no_server_what': 'Any URL that accepts a POST request will do. A few lines of Node print what arrives:',
  'portal.example_request': 'An example of a request',

  'portal.events_what': 'The events that {sender} can send, and their content.',
  'portal.events_find': 'Type or description',
  'portal.find': 'Find',
  'portal.events_none': 'No event type matches',
  'portal.subscribed': 'subscribed',
  'portal.happened': 'When it is sent',
  'portal.fields': 'Fields of data',
  'portal.field': 'Field',
  'portal.field_type': 'Type',
  'portal.field_about': 'About it',
  'portal.optional': 'optional',
  'portal.more_fields': { one: '{n} more field', other: '{n} more fields' },
  'portal.copy_type': 'Copy the type',

  'portal.settings': 'Settings',
  'portal.secret': 'Signing secret',
  'portal.test': 'Test',
} as const satisfies Readonly<Record<string, Message>>
