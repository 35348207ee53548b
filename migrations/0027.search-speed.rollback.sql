set local role memos_owner;
