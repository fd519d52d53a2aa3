/** The microsite, and project, that every lead of the benchmark belongs to. */
export const MICROSITE = 'nivasa-enchante'

const TEXTS = [
  'Hi 👋\nHow can we help you today?',
  'Pricing 💸',
  'Prices start at ₹ 85 L for a 2 BHK and ₹ 1.2 Cr for a 3 BHK.',
  'Which configuration are you looking for?',
  '1 Bhk',
  'Here is what is available right now.',
  'May I know your name?',
  'Test Visitor',
  'Please share your mobile number and our team will call you back.',
  '+91 9876501234',
]
const OF_THE_VISITOR = new Set([1, 4, 7, 9])
const CHAT_STARTED_AT = Date.UTC(2026, 10, 22, 5, 56, 32)

/** The chat of ten messages that a widget sends with a lead. */
export function sampleConversation(newId: () => string) {
  return TEXTS.map((text, i) => ({
    id: newId(),
    type: OF_THE_VISITOR.has(i) ? 'user' : 'system',
    text,
    timestamp: CHAT_STARTED_AT + i * 800,
  }))
}

/** What a widget says of the visitor and the page. */
export const sampleMetadata = {
  projectId: MICROSITE,
  name: 'Test Visitor',
  visitor: {
    landingPage: '/',
    userAgent: 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0',
    firstSeenAt: '2026-11-22T05:56:30.119Z',
    lastInteractionAt: '2026-11-22T05:56:38.891Z',
  },
  phoneCountry: 'India',
  phoneCountryCode: 'IN',
  phoneDialCode: '+91',
}
