import { model, Schema } from 'mongoose'
import { BhkType } from '../../../lib/domain/leads/bhk.js'
import { messageSchema } from './message.js'

const schema = new Schema(
  {
    sessionId: { type: String, required: true },
    microsite: { type: String, required: true },
    projectId: { type: String, required: true },
    ownerId: Schema.Types.ObjectId,
    leadId: Schema.Types.ObjectId,
    phone: String,
    bhkType: { type: String, enum: BhkType.options },
    conversation: [messageSchema],
    metadata: { type: Schema.Types.Mixed, required: true },
  },
  { collection: 'chatsessions', timestamps: true, versionKey: false, minimize: false },
)

export const ChatSession = model('ChatSession', schema)
